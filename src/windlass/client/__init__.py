"""The client of the REST API, for the command line and for anyone's scripts."""

from windlass.client.client import Client, Page
from windlass.client.errors import Away, ClientError, Problem
from windlass.client.follow import ENDED, Change, follow, has_ended
from windlass.client.transport import Json, loopback

__all__ = [
    "ENDED",
    "Away",
    "Change",
    "Client",
    "ClientError",
    "Json",
    "Page",
    "Problem",
    "follow",
    "has_ended",
    "loopback",
]
