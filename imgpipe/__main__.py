"""The command ``imgpipe``: every command of ``flask --app wsgi``, and ``imgpipe run`` to serve."""

import sys
from collections.abc import Sequence
from typing import NoReturn

from flask import Flask
from flask.cli import FlaskGroup

from imgpipe import create_app
from imgpipe.cli.serve import run
from imgpipe.errors import ConfigError


def _create_app() -> Flask:
    """Build the app, or tell every fault of the configuration in a line of its own."""
    try:
        return create_app()
    except ConfigError as error:
        sys.exit(str(error))


commands = FlaskGroup(
    name="imgpipe",
    create_app=_create_app,
    add_default_commands=False,
    add_version_option=False,
    help="Take pictures in; give thumbnails, metadata and a sentence of description back.",
)
commands.add_command(run)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command, of the line or of ``arguments``, and leave with its exit status."""
    commands.main(arguments, prog_name="imgpipe")


if __name__ == "__main__":
    main()
