"""Offer the command line: ``imgpipe …``, the same as ``flask --app wsgi …``."""

from flask import Flask

from imgpipe.cli.captioning import caption_images, label_images
from imgpipe.cli.configuration import show_config
from imgpipe.cli.copying import copy_installation
from imgpipe.cli.db import db
from imgpipe.cli.doctor import examine
from imgpipe.cli.frames import frames
from imgpipe.cli.images import images
from imgpipe.cli.keys import keys
from imgpipe.cli.webhooks import webhooks


def init_app(app: Flask) -> None:
    """Add the commands to the app."""
    for command in (caption_images, label_images):
        images.add_command(command)
    for command in (images, frames, show_config, examine, copy_installation, db, keys, webhooks):
        app.cli.add_command(command)
