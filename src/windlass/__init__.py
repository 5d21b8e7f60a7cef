"""windlass: a platform for web applications whose every change is a durable job."""

__version__ = "0.1.0"
