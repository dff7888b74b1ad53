"""``db``: the schema of the database."""

import click
from flask.cli import AppGroup
from sqlalchemy.exc import OperationalError

from imgpipe.database import schema
from imgpipe.errors import SchemaTooNew

db = AppGroup("db", help="Look after the database's schema.")


@db.command("upgrade")
@click.pass_context
def upgrade(ctx: click.Context) -> None:
    """Create the tables or bring them up to date; safe to run twice, and by several at once."""
    try:
        schema.upgrade()
    except OperationalError as error:
        reason = str(error.orig).splitlines()[0]
        click.echo(f"DATABASE_URL=(hidden): expected a database that answers ({reason})", err=True)
        ctx.exit(1)
    except SchemaTooNew as error:
        click.echo(f"DATABASE_URL=(hidden): {error.message}", err=True)
        ctx.exit(1)
