"""Labels, earlier captions, what a caption was asked for, colours and perceptual hashes."""

import sqlalchemy as sa
from alembic import op

from imgpipe.migrations.types import Json

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("images") as images:
        images.add_column(sa.Column("caption_asked", Json))
        images.add_column(sa.Column("labels", Json, nullable=False, server_default="[]"))
        images.add_column(sa.Column("color", sa.String(7)))
        images.add_column(sa.Column("perceptual_hash", sa.BigInteger()))
    op.create_index("ix_images_caption_status_id", "images", ["caption_status", "id"])
    op.create_table(
        "labels",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("pictures", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_labels_pictures_name", "labels", ["pictures", "name"])
    op.create_table(
        "labelled_pictures",
        sa.Column("label", sa.String(64), primary_key=True),
        sa.Column("position", sa.BigInteger(), primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "earlier_captions",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("image_id", sa.Uuid(), sa.ForeignKey("images.id", ondelete="CASCADE"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("source", Json),
    )
    op.create_index("ix_earlier_captions_image_id_id", "earlier_captions", ["image_id", "id"])
    op.create_table(
        "hash_bands",
        sa.Column("band", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("hash", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger(), primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for table in ("hash_bands", "earlier_captions", "labelled_pictures", "labels"):
        op.drop_table(table)
    op.drop_index("ix_images_caption_status_id", "images")
    for column in ("perceptual_hash", "color", "labels", "caption_asked"):
        op.drop_column("images", column)
