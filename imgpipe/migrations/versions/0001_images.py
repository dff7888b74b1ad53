"""Images with their work, thumbnails, and the tallies behind the statistics."""

import sqlalchemy as sa
from alembic import op

from imgpipe.models import Json, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SHARDS = 8
COUNTS = ("total", "success", "failed", "worked_ms")


def upgrade() -> None:
    op.create_table(
        "images",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("original_name", sa.String(255), nullable=False),
        sa.Column("original_key", sa.String(255)),
        sa.Column("format", sa.String(3), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("error_code", sa.String(40)),
        sa.Column("facts", Json),
        sa.Column("exif", Json),
        sa.Column("worked_ms", sa.Integer(), nullable=False),
        sa.Column("processed_at", UtcDateTime()),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("stage", sa.String(10)),
        sa.Column("due_at", UtcDateTime()),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("running", sa.Boolean(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False),
    )
    op.create_index("ix_images_sha256", "images", ["sha256"])
    op.create_index("ix_images_status_id", "images", ["status", "id"])
    has_work = sa.text("stage IS NOT NULL")
    op.create_index(
        "ix_images_work", "images", ["stage", "due_at"], sqlite_where=has_work, postgresql_where=has_work
    )
    op.create_table(
        "thumbnails",
        sa.Column("image_id", sa.Uuid(), sa.ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("name", sa.String(10), primary_key=True),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("format", sa.String(3), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("etag", sa.String(64), nullable=False),
    )
    shard = sa.Column("shard", sa.Integer(), primary_key=True, autoincrement=False)
    counts = [sa.Column(name, sa.BigInteger(), nullable=False) for name in COUNTS]
    tallies = op.create_table("tallies", shard, *counts)
    op.bulk_insert(tallies, [{"shard": number, **dict.fromkeys(COUNTS, 0)} for number in range(SHARDS)])


def downgrade() -> None:
    for table in ("tallies", "thumbnails", "images"):
        op.drop_table(table)
