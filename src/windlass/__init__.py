"""windlass: a platform for web applications whose every change is a durable job."""
