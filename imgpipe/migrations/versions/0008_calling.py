"""Note which picture is being asked about, and hand out what fell due together in the pictures' order."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("images", sa.Column("calling", sa.Boolean(), nullable=False, server_default=sa.false()))
    _index_work(["stage", "due_at", "id"])


def downgrade() -> None:
    _index_work(["stage", "due_at"])
    op.drop_column("images", "calling")


def _index_work(columns: list[str]) -> None:
    op.drop_index("ix_images_work", "images")
    with_work = sa.text("stage IS NOT NULL")
    op.create_index("ix_images_work", "images", columns, sqlite_where=with_work, postgresql_where=with_work)
