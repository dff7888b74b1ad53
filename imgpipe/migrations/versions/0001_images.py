"""Images with their work, thumbnails, comments, tallies, and the words that search looks through."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

from imgpipe.migrations.types import Json, UtcDateTime

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
        sa.Column("position", sa.BigInteger(), nullable=False, unique=True),
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
        sa.Column("caption", sa.Text()),
        sa.Column("caption_status", sa.String(10), nullable=False),
        sa.Column("caption_error", Json),
        sa.Column("caption_source", Json),
        sa.Column("caption_raw", Json),
        sa.Column("caption_key", sa.String(64)),
        sa.Column("caption_calls", sa.Integer(), nullable=False),
        sa.Column("caption_began_at", UtcDateTime()),
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
    _create_partial_index("ix_images_work", ["stage", "due_at"], "stage IS NOT NULL")
    _create_partial_index("ix_images_captioned", ["sha256", "caption_key"], "caption IS NOT NULL")
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
    op.create_table(
        "comments",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("image_id", sa.Uuid(), sa.ForeignKey("images.id", ondelete="CASCADE"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("edited_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_comments_image_id_id", "comments", ["image_id", "id"])
    op.create_table(
        "pauses",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
    )
    _create_words()
    shard = sa.Column("shard", sa.Integer(), primary_key=True, autoincrement=False)
    counts = [sa.Column(name, sa.BigInteger(), nullable=False) for name in COUNTS]
    tallies = op.create_table("tallies", shard, *counts)
    op.bulk_insert(tallies, [{"shard": number, **dict.fromkeys(COUNTS, 0)} for number in range(SHARDS)])


def downgrade() -> None:
    for table in ("image_words", "tallies", "pauses", "comments", "thumbnails", "images"):
        op.drop_table(table)


def _create_partial_index(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "images", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _create_words() -> None:
    """An index of words by position, in whatever each database has for that."""
    if op.get_bind().dialect.name == "sqlite":
        # The words come split already; detail=none keeps only which row has which, prefix= makes a* cheap.
        op.execute(
            "CREATE VIRTUAL TABLE image_words USING fts5"
            "(words, detail=none, prefix='1 2 3', tokenize='unicode61 remove_diacritics 0')"
        )
        return
    position = sa.Column("position", sa.BigInteger(), primary_key=True, autoincrement=False)
    op.create_table("image_words", position, sa.Column("words", TSVECTOR(), nullable=False))
    op.create_index("ix_image_words_words", "image_words", ["words"], postgresql_using="gin")
