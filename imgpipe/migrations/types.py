"""The column types of the migrations, frozen: what a migration once made stays what it was.

Never change one; a migration that needs another type brings a new one.
"""

import sqlalchemy as sa

Json = sa.JSON(none_as_null=True)


def UtcDateTime() -> sa.DateTime:
    """Return the type of aware times: with zone on PostgreSQL, without on SQLite."""
    return sa.DateTime(timezone=True)
