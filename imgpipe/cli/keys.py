"""``keys``: make, list and revoke API keys."""

import re
from datetime import timedelta

import click
from flask.cli import AppGroup

from imgpipe import keys as store
from imgpipe.cli.work import echo_line, faults_reported
from imgpipe.clock import utc_now
from imgpipe.database.models import ApiKey

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}
MAX_LIFETIME = timedelta(days=100 * 365)

keys = AppGroup("keys", help="Make, list and revoke API keys.")


class _Lifetime(click.ParamType[timedelta]):
    name = "lifetime"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        found = re.fullmatch(r"([1-9][0-9]{0,5})([hdwy])", value)
        if found is None or (lifetime := int(found[1]) * _UNITS[found[2]]) > MAX_LIFETIME:
            self.fail(f"{value!r}: expected a time such as 12h, 90d, 4w or 1y, at most 100y", param, ctx)
        return lifetime


def _name(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._@-]{1,100}", value):
        raise click.BadParameter("expected 1 to 100 letters, digits, dots, dashes, underscores or @")
    return value


@keys.command("create")
@click.argument("name", callback=_name)
@click.option("--scope", type=click.Choice(store.SCOPES), required=True, help="what it may be used for")
@click.option("--expires", type=_Lifetime(), help="after how long it is void, such as 90d; without: never")
def create_key(name: str, scope: str, expires: timedelta | None) -> None:
    """Make a key called NAME and show it, this once, alone on the last line."""
    with faults_reported():
        key = store.create(name, scope, expires)
    echo_line("Keep it safe; it is not stored and cannot be shown again.")
    click.echo(key)


@keys.command("list")
def list_keys() -> None:
    """List every key that was ever made, without the keys themselves."""
    with faults_reported():
        rows = store.listed()
    for row in rows:
        click.echo(f"{row.name:<30} {row.scope:<7} made {row.created_at:%Y-%m-%d}  {_state(row)}")
    if not rows:
        click.echo("No key was made yet.")


@keys.command("revoke")
@click.argument("name")
def revoke_key(name: str) -> None:
    """Take the key called NAME out of force; within a second no process accepts it any more."""
    with faults_reported():
        store.revoke(name)
    click.echo(f"{name} is revoked.")


def _state(row: ApiKey) -> str:
    if row.revoked_at:
        return f"revoked {row.revoked_at:%Y-%m-%d}"
    if row.expires_at is None:
        return "in force"
    return f"{'expired' if row.expires_at <= utc_now() else 'in force until'} {row.expires_at:%Y-%m-%d %H:%M}"
