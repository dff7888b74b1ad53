"""Do what belongs to every request: an id, a log line, safe headers, and refusals that can be read."""

import contextlib
import io
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import IO, Any
from uuid import uuid4

import flask
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import get_input_stream

from imgpipe import logs
from imgpipe.extensions import parts

DRAIN_BYTES = 256 * 2**20
DRAIN_S = 10.0
BODY_BYTES = 2**20  # for every route that takes no file
IN_MEMORY_BYTES = 64 * 2**20
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
log = logging.getLogger(__name__)


class Request(flask.Request):
    """Keep pictures in memory while the form is parsed; only larger files go through a temp file."""

    def __init__(self, environ: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        # The development server's own stream has no end: a read behind the body waits for the client.
        environ["wsgi.input"] = get_input_stream(environ)
        environ["wsgi.input_terminated"] = True
        super().__init__(environ, *args, **kwargs)

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        if total_content_length is not None and total_content_length <= IN_MEMORY_BYTES:
            return io.BytesIO()
        return super()._get_file_stream(total_content_length, content_type, filename, content_length)


def init_app(app: Flask) -> None:
    """Put the hooks around every request of ``app``."""
    app.request_class = Request
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(lambda _error: logs.mark("-"))


def request_id() -> str:
    """Return the id of the present request."""
    return str(g.get("request_id", "-"))


def _begin() -> None:
    sent = request.headers.get("X-Request-ID", "")
    g.request_id = sent if _REQUEST_ID.fullmatch(sent) else uuid4().hex
    g.began = time.perf_counter()
    logs.mark(g.request_id)
    parts.jobs.start()


def _end(response: Response) -> Response:
    if response.status_code >= 400:
        _drain()
    response.headers["X-Request-ID"] = request_id()
    response.headers["X-Content-Type-Options"] = "nosniff"
    quiet = response.status_code < 400 and request.method in ("GET", "HEAD")
    took_ms = (time.perf_counter() - g.get("began", time.perf_counter())) * 1000
    level = logging.DEBUG if quiet else logging.INFO
    log.log(level, "%s %s %d %.0f ms", request.method, request.path, response.status_code, took_ms)
    return response


def _drain() -> None:
    """Read away what is left of a refused body: a client that still sends would not see the answer."""
    if not (request.content_length or "chunked" in request.headers.get("Transfer-Encoding", "")):
        return
    left, deadline = DRAIN_BYTES, time.monotonic() + DRAIN_S
    with contextlib.suppress(OSError, ValueError, HTTPException), _cut_off_after(DRAIN_S):
        while left > 0 and time.monotonic() < deadline:
            chunk = request.environ["wsgi.input"].read(min(left, 2**16))
            if not chunk:
                return
            left -= len(chunk)


@contextlib.contextmanager
def _cut_off_after(seconds: float) -> Iterator[None]:
    """Shut the client's way in after a while: a read returns only when it is full, however slow the drip."""
    connection = request.environ.get("gunicorn.socket") or request.environ.get("werkzeug.socket")
    timer = threading.Timer(seconds, _shut, (connection,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shut(connection: Any) -> None:
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RD)
