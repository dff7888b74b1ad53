"""The bytes of all files among the running totals."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SUM = """
UPDATE tallies SET stored_bytes =
    COALESCE((SELECT SUM(size_bytes) FROM images WHERE original_key IS NOT NULL), 0)
    + COALESCE((SELECT SUM(size_bytes) FROM thumbnails), 0)
WHERE shard = 0
"""


def upgrade() -> None:
    column = sa.Column("stored_bytes", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("tallies", column)
    op.execute(SUM)


def downgrade() -> None:
    op.drop_column("tallies", "stored_bytes")
