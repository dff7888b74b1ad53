"""Room for formats of four letters."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _change(3, 10)


def downgrade() -> None:
    _change(10, 3)


def _change(before: int, after: int) -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("images", "format", type_=sa.String(after), existing_type=sa.String(before))
        return
    # SQLite changes no type; to copy the whole table would drop what refers to it.
    column = sa.Column("format_", sa.String(after), nullable=False, server_default="jpg")
    op.add_column("images", column)
    op.execute("UPDATE images SET format_ = format")
    op.execute("ALTER TABLE images DROP COLUMN format")
    op.execute("ALTER TABLE images RENAME COLUMN format_ TO format")
