"""Bring the schema up to date, and tell when it is newer than this code: the migrations, by Alembic.

Alembic is loaded by the few commands that need it, never by a server that only serves.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError

from imgpipe.database.engine import db
from imgpipe.database.sqlitefile import cannot_open
from imgpipe.errors import SchemaTooNew

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def upgrade(revision: str = "head") -> None:
    """Apply every migration that is missing; safe to run twice, and by several at once.

    Raises: ``SchemaTooNew``, ``OperationalError``.
    """
    _make_file()
    found = refuse_newer()
    if revision == "head" and found == max(known()):
        return
    from alembic import command

    command.upgrade(_config(), revision)


def downgrade(revision: str = "-1") -> None:
    """Take migrations back, down to ``revision``; for tests and repairs."""
    from alembic import command

    command.downgrade(_config(), revision)


def check() -> None:
    """Raise an error of Alembic's where the models say something else than the migrations made."""
    from alembic import command

    command.check(_config())


def refuse_newer() -> str | None:
    """Return the revision as ``present`` does. Raises: ``SchemaTooNew`` for one of a newer version."""
    found = present()
    if found is not None and found not in known():
        raise SchemaTooNew(details={"schema": found})
    return found


def present() -> str | None:
    """Return the revision of the database as it is, or None where it has none yet."""
    with db.engine.connect() as connection:
        return applied(connection)


def applied(connection: Connection) -> str | None:
    """Return the revision of the database behind a connection, or None where it has none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def known() -> frozenset[str]:
    """Name the revisions that this code knows: a file each, named by its number."""
    return frozenset(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _make_file() -> None:
    """Make the file of a new SQLite database; nobody else does."""
    url = db.engine.url
    if url.get_backend_name() == "sqlite" and url.database:
        try:
            Path(url.database).touch()
        except OSError as error:  # as SQLite itself would say it
            raise OperationalError("", None, cannot_open("unable to open database file")) from error


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
