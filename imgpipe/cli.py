"""Offer the command line: ``flask --app wsgi …``."""

import click
from flask import Flask
from flask.cli import with_appcontext

from imgpipe import config
from imgpipe.extensions import parts


def init_app(app: Flask) -> None:
    """Add the commands to ``flask``."""
    app.cli.add_command(show_config)


@click.command("config")
@with_appcontext
def show_config() -> None:
    """Print every option with its present value, secrets masked."""
    for variable, value, help in config.table(parts.settings):
        click.echo(f"{variable:<26} {value or '(empty)':<40} {help}")
