"""Build an app over a fresh database, in this process."""

from pathlib import Path

from flask import Flask

from imgpipe import create_app, installation
from imgpipe.config import load
from imgpipe.database.schema import upgrade


def fresh_app(folder: Path) -> Flask:
    """Return an app over an empty installation that does its work at once, and says only what is wrong."""
    environ = {"IMGPIPE_DATA_DIR": str(folder), "IMGPIPE_JOBS": "inline", "IMGPIPE_LOG_LEVEL": "WARNING"}
    app = create_app(load(environ))
    with app.app_context():
        upgrade()
        installation.establish()
    return app
