"""A small Flask application."""

import os

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    """Say who answers."""
    return f"Hello from Flask, release {os.environ.get('WINDLASS_RELEASE', 'none')}\n"
