"""``config``: what this installation is set to."""

import click
from flask.cli import with_appcontext

from imgpipe import config
from imgpipe.extensions import parts

VALUE_WIDTH = 40


@click.command("config")
@with_appcontext
def show_config() -> None:
    """Print every option with its present value, secrets masked."""
    rows = list(config.table(parts.settings))
    width = max(len(variable) for variable, _, _ in rows)
    for variable, value, help in rows:
        click.echo(f"{variable:<{width}}  {value or '(empty)':<{VALUE_WIDTH}}  {help}")
