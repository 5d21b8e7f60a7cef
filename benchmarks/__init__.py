"""Measurements of the engine beside others and beside what the datastore can do."""
