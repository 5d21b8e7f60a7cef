"""The REST API: handlers that turn requests into operations and records into JSON."""
