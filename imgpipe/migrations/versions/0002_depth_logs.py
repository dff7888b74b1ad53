"""Depth logs and their rows."""

import sqlalchemy as sa
from alembic import op

from imgpipe.migrations.types import Json, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "depth_logs",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("id", sa.Uuid(), nullable=False, unique=True),
        sa.Column("name", sa.String(100), nullable=False, unique=True),
        sa.Column("uploads", sa.Integer(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("depth_min", sa.Double(), nullable=False),
        sa.Column("depth_max", sa.Double(), nullable=False),
        sa.Column("depth_step", sa.Double()),
        sa.Column("source_widths", Json, nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "depth_rows",
        sa.Column("log", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("depth", sa.Double(), primary_key=True),
        sa.Column("pixels", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("depth_rows")
    op.drop_table("depth_logs")
