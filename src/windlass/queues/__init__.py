"""Queues: bells with order, one file a backend."""
