"""Offer the command line: ``flask --app wsgi …``."""

from flask import Flask

from imgpipe.cli.configuration import show_config
from imgpipe.cli.copying import copy_installation
from imgpipe.cli.doctor import examine
from imgpipe.cli.frames import frames
from imgpipe.cli.images import images


def init_app(app: Flask) -> None:
    """Add the commands to ``flask``."""
    for command in (images, frames, show_config, examine, copy_installation):
        app.cli.add_command(command)
