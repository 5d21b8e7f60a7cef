"""Users and tokens: rows and records."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from windlass.errors import OverLimit, Taken
from windlass.model.accounts import Token, User
from windlass.model.ids import UserId, new_id
from windlass.store.access import Access
from windlass.store.database import now
from windlass.store.query import Query
from windlass.store.tables import tokens, users

MOST_TOKENS = 100  # of a user, alive
USER = Query(select(users).where(users.c.id == bindparam("id")))
CALLED = Query(select(users).where(users.c.login == bindparam("login")))
BEARER = Query(
    select(users, tokens.c.scope, tokens.c.expires)
    .join(tokens, tokens.c.user == users.c.id)
    .where(tokens.c.digest == bindparam("digest"), tokens.c.expires > now())
)


@dataclass(frozen=True)
class SignedIn:
    """Who a token stands for, and what it may do."""

    user: User
    scope: str
    expires: float


class Accounts:
    """Who may sign in."""

    def __init__(self, access: Access) -> None:
        self.access = access

    async def add(self, user: User, password_hash: str) -> None:
        """A new user; Taken if the login is."""
        row = upsert(users).values(
            id=user.id,
            login=user.login,
            password=password_hash,
            admin=user.admin,
            most_domains=user.most_domains,
            most_gears=user.most_gears,
            most_storage=user.most_storage,
            created=now(),
        )
        async with self.access.write() as connection:
            added = await connection.execute(row.on_conflict_do_nothing().returning(users.c.id))
            if added.first() is None:
                raise Taken(f"there is a user {user.login} already", field="login")

    async def find(self, login: str) -> tuple[User, str] | None:
        """A user by login, with the hash of the password."""
        async with self.access.read() as connection:
            row = await CALLED.first(connection, login=login)
        return (user_of(row), row.password) if row else None

    async def get(self, id: UserId) -> User | None:
        """A user by id."""
        async with self.access.read() as connection:
            row = await USER.first(connection, id=id)
        return user_of(row) if row else None

    async def set_password(self, id: UserId, password_hash: str) -> None:
        """Another password; the tokens stay."""
        async with self.access.write() as connection:
            await connection.execute(
                update(users).where(users.c.id == id).values(password=password_hash)
            )

    async def limit(self, login: str, limits: Mapping[str, int]) -> None:
        """Set what a user may have at most, by column."""
        async with self.access.write() as connection:
            await connection.execute(update(users).where(users.c.login == login).values(**limits))

    async def add_token(
        self, user: UserId, digest: bytes, note: str, scope: str, seconds: float
    ) -> Token:
        """A new token, known by its SHA-256; expired ones of the user are forgotten here."""
        async with self.access.write() as connection:
            await connection.execute(
                delete(tokens).where(tokens.c.user == user, tokens.c.expires < now())
            )
            count = select(func.count()).select_from(tokens).where(tokens.c.user == user)
            if (await connection.execute(count)).scalar_one() >= MOST_TOKENS:
                raise OverLimit(f"you have {MOST_TOKENS} tokens; revoke one that you do not need")
            added = insert(tokens).values(
                id=new_id("t"),
                user=user,
                digest=digest,
                note=note,
                scope=scope,
                created=now(),
                expires=now() + seconds,
            )
            return token_of((await connection.execute(added.returning(tokens))).one())

    async def bearer(self, digest: bytes) -> SignedIn | None:
        """Whose token this is, while it is valid."""
        async with self.access.read() as connection:
            row = await BEARER.first(connection, digest=digest)
        return SignedIn(user_of(row), row.scope, row.expires) if row else None

    async def tokens(self, user: UserId) -> list[Token]:
        """A user's tokens, oldest first."""
        query = select(tokens).where(tokens.c.user == user, tokens.c.expires > now())
        async with self.access.read() as connection:
            rows = await connection.execute(query.order_by(tokens.c.created, tokens.c.id))
            return [token_of(row) for row in rows]

    async def revoke(self, user: UserId, token: str) -> bool:
        """Take a token away; false if the user has none of that id."""
        gone = delete(tokens).where(tokens.c.user == user, tokens.c.id == token)
        async with self.access.write() as connection:
            return (await connection.execute(gone.returning(tokens.c.id))).first() is not None


def user_of(row: Any) -> User:
    """A user from the row."""
    limits = (row.most_domains, row.most_gears, row.most_storage)
    return User(UserId(row.id), row.login, bool(row.admin), *limits)


def token_of(row: Any) -> Token:
    """A token from the row."""
    return Token(row.id, row.note, row.scope, row.created, row.expires)
