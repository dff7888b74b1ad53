"""Build an app over a fresh database, in this process, and ask it."""

from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.test import EnvironBuilder

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


def asking(
    app: Flask, path: str, status: int = 200, headers: Iterable[tuple[str, str]] = ()
) -> Callable[[], bytes]:
    """Return what asks once, through WSGI alone, and returns the answer's body."""
    environ = EnvironBuilder(path=path, headers=headers).get_environ() | {"REMOTE_ADDR": "127.0.0.1"}

    def start_response(line: str, headers: Any, exc_info: Any = None) -> Any:
        assert line.startswith(str(status)), line

    def ask() -> bytes:
        body: Iterable[bytes] = app.wsgi_app(environ | {"wsgi.input": BytesIO()}, start_response)
        answer = b"".join(body)
        if hasattr(body, "close"):
            body.close()
        return answer

    return ask
