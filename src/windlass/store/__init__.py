"""The datastore: rows to records and back, one repository a noun."""
