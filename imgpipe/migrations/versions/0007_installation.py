"""Who this installation is, so that its storage can be told from another."""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    table = op.create_table("installation", sa.Column("id", sa.String(32), primary_key=True))
    op.bulk_insert(table, [{"id": uuid4().hex}])


def downgrade() -> None:
    op.drop_table("installation")
