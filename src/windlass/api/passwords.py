"""Passwords: checked off the loop, a few at a time, and remembered for a minute."""

import asyncio
import hmac
import secrets
import time
from collections import OrderedDict
from hashlib import sha256

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from windlass.api.problems import Problem
from windlass.api.throttle import Throttle, origin
from windlass.model.accounts import LOGIN, LONGEST, User
from windlass.store.accounts import Accounts

AT_ONCE = 2  # hashes; each takes 64 MiB and a processor
IN_LINE = 50  # that wait for their turn, before others are sent away
MINUTE = 60.0  # seconds that good credentials are remembered
ROOM = 1000  # of them
BY_ADDRESS, BY_NAME = 20, 10  # failures a minute


class Passwords:
    """Says whose login and password these are."""

    def __init__(self, accounts: Accounts) -> None:
        self.accounts = accounts
        self.hasher = PasswordHasher()
        self.nobody: str | None = None  # a hash to check against where there is no user
        self.room = asyncio.Semaphore(AT_ONCE)
        self.key = secrets.token_bytes(32)
        self.good: OrderedDict[bytes, tuple[float, str]] = OrderedDict()  # until when, their hash
        self.checking: dict[bytes, asyncio.Task[User | None]] = {}
        self.addresses, self.names = Throttle(BY_ADDRESS), Throttle(BY_NAME)

    async def check(self, login: str, password: str, address: str) -> User | None:
        """The user, or None; Problem 429 where there were too many failures."""
        if not LOGIN.fullmatch(login) or len(password) > LONGEST:
            self.addresses.check(origin(address))
            self.addresses.count(origin(address))
            return None
        mark = hmac.digest(self.key, f"{login}\0{password}".encode(errors="replace"), sha256)
        if user := await self.remembered(mark, login):
            return user
        if mark not in self.checking:
            self.admit(login, address)
            task = asyncio.ensure_future(self.judge(mark, login, password, address))
            self.checking[mark] = task
            task.add_done_callback(lambda _: self.checking.pop(mark, None))
        # Shielded: others may wait for the same answer.
        return await asyncio.shield(self.checking[mark])

    def admit(self, login: str, address: str) -> None:
        """Count a failure in advance, or a thousand guesses at once would all be let in."""
        self.addresses.check(origin(address))
        self.names.check(login)
        if len(self.checking) >= IN_LINE:
            raise Problem(429, "too many sign-ins at once", headers={"Retry-After": "1"})
        self.addresses.count(origin(address))
        self.names.count(login)

    async def remembered(self, mark: bytes, login: str) -> User | None:
        """The user if these credentials were good a moment ago and the password is the same."""
        until, before = self.good.get(mark, (0.0, ""))
        if time.monotonic() >= until:
            return None
        user, stored = await self.accounts.find(login) or (None, "")
        if stored != before:
            self.good.pop(mark, None)
            return None
        return user

    async def judge(self, mark: bytes, login: str, password: str, address: str) -> User | None:
        """Check the password against the stored hash."""
        user, stored = await self.accounts.find(login) or (None, None)
        async with self.room:
            fits = await asyncio.to_thread(self.verify, stored, password)
        if user is None or stored is None or not fits:
            return None
        self.addresses.forgive(origin(address))
        self.names.forgive(login)
        self.good[mark] = (time.monotonic() + MINUTE, stored)
        while len(self.good) > ROOM:
            self.good.popitem(last=False)
        return user

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether it fits; takes as long for users that there are not."""
        if stored is None:
            self.nobody = self.nobody or self.hasher.hash(secrets.token_hex())
        try:
            return self.hasher.verify(stored or self.nobody or "", password)
        except (Argon2Error, InvalidHashError):
            return False
