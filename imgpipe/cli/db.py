"""``db``: the schema of the database."""

import click
from flask.cli import AppGroup
from sqlalchemy.exc import SQLAlchemyError

from imgpipe import installation
from imgpipe.database import outages, schema
from imgpipe.errors import SchemaTooNew
from imgpipe.extensions import parts

db = AppGroup("db", help="Look after the database's schema.")


@db.command("upgrade")
@click.pass_context
def upgrade(ctx: click.Context) -> None:
    """Create the tables or bring them up to date; safe to run twice, and by several at once."""
    try:
        schema.upgrade()
        _establish()
    except SQLAlchemyError as error:
        if not outages.is_away(error):
            raise
        reason = outages.reason(error)
        click.echo(f"DATABASE_URL=(hidden): expected a database that answers ({reason})", err=True)
        ctx.exit(1)
    except SchemaTooNew as error:
        click.echo(f"DATABASE_URL=(hidden): {error.message}", err=True)
        ctx.exit(1)


def _establish() -> None:
    """Mark the storage; one that is away now, or not ours, is told, and may come while we serve."""
    try:
        fault = installation.establish()
    except OSError as error:
        fault = f"expected a storage that answers ({error.strerror})"
    if fault:
        click.echo(f"IMGPIPE_STORAGE={parts.settings.storage!r}: {fault}", err=True)


@db.command("downgrade")
@click.argument("revision", default="-1")
def downgrade(revision: str) -> None:
    """Take migrations back, the last one or down to REVISION; what their tables held is lost."""
    schema.downgrade(revision)
