"""The gateway: HTTP by host name, from outside to an application's instances.

`Router` listens, `Table` knows which host name belongs to whom, `Forwarder` finds an instance that
answers and streams both ways. Only the routes are read; nothing here writes to the datastore.
"""
