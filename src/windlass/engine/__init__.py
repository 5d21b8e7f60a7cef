"""Durable jobs: knows no gear, no HTTP and no SQL."""
