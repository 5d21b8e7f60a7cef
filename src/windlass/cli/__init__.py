"""The command `windlass`; it knows only the client, and so only what the API can do."""
