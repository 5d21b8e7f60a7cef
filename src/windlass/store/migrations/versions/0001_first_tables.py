"""The first tables.

Unreleased as yet, so they are simply those of `tables/`; the first release freezes them here.
"""

from alembic import op

from windlass.store.tables import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    metadata.drop_all(op.get_bind())
