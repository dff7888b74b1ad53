"""Do what belongs to every request: an id, a log line, safe headers, and refusals that can be read."""

import base64
import contextlib
import hashlib
import io
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from functools import cache, cached_property, partial
from random import getrandbits
from typing import IO, Any

import flask
from flask import Flask, Response, g, request
from gunicorn.http.errors import ParseException
from prometheus_client import Counter, Histogram
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wsgi import get_content_length, get_input_stream

from imgpipe import logs, metrics
from imgpipe.api.http.forms import FormParser
from imgpipe.errors import BadRequest, DigestMismatch, ImgpipeError, TooLarge
from imgpipe.extensions import parts
from imgpipe.jobs.protocol import Jobs

DRAIN_BYTES = 256 * 2**20
DRAIN_S = 10.0
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
BODY_BYTES = 2**20  # for every route that takes no file
IN_MEMORY_BYTES = 64 * 2**20
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
log = logging.getLogger(__name__)


class Body:
    """The body as it comes in: a client that breaks it, or breaks off, is told so.

    Reading raises ``BadRequest`` then, and ``RequestTimeout`` where the server gave up waiting.
    """

    def __init__(self, stream: IO[bytes], length: int | None, digest: bytes | None, hashed: bool) -> None:
        self._stream = stream
        self._length = length
        self._digest = hashlib.sha256() if hashed else None
        self._expected = digest
        self.received = 0

    def read(self, size: int = -1) -> bytes:
        """Read ``size`` bytes, or all; fewer only at the end."""
        try:
            data = self._stream.read(size)
        except (OSError, ParseException) as error:
            raise BadRequest from error
        self.received += len(data)
        if self._digest:
            self._digest.update(data)
        at_end = size < 0 or (size > 0 and not data)
        if at_end and self._length is not None and self.received < self._length:
            raise BadRequest("The body ended before the length that its header tells.")
        return data

    def verify(self) -> None:
        """Compare what came in, to its end, with the digest that the client has told.

        Raises: ``DigestMismatch``, and what reading raises.
        """
        if self._expected and self.digest() != self._expected:
            raise DigestMismatch

    def digest(self) -> bytes:
        """Read to the end and return the SHA-256 of it all, where a header asked for one from the start."""
        assert self._digest
        while self.read(2**16):
            pass
        return self._digest.digest()


class Request(flask.Request):
    """Have an id and a beginning, and keep pictures in memory while the form is parsed.

    Only larger files go through a temp file.
    """

    form_data_parser_class = FormParser

    def __init__(self, environ: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        # The development server's own stream has no end: a read behind the body waits for the client.
        environ["wsgi.input"] = Body(
            get_input_stream(environ),
            get_content_length(environ),
            told := _sent_digest(environ),
            told is not None or "HTTP_IDEMPOTENCY_KEY" in environ,
        )
        environ["wsgi.input_terminated"] = True
        super().__init__(environ, *args, **kwargs)
        sent = environ.get("HTTP_X_REQUEST_ID", "")
        self.id = sent if _REQUEST_ID.fullmatch(sent) else f"{getrandbits(128):032x}"
        self.began = time.perf_counter()

    @cached_property
    def root(self) -> str:
        """Return what stands before every path of an address; a page asks for it a hundred times."""
        return parts.settings.base_url or self.script_root

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


def verify_body() -> None:
    """Check the body of the present request against its ``Content-Digest``. Raises: ``DigestMismatch``."""
    request.environ["wsgi.input"].verify()


def body_digest() -> bytes:
    """Return the SHA-256 of the present request's body, read to its end."""
    found: bytes = request.environ["wsgi.input"].digest()
    return found


def _sent_digest(environ: dict[str, Any]) -> bytes | None:
    """Return the SHA-256 that ``Content-Digest`` tells (RFC 9530); other algorithms are passed over.

    One that can't be read matches nothing.
    """
    sent = environ.get("HTTP_CONTENT_DIGEST")
    told = sent and re.search(r"(?:^|,)\s*sha-256=(:[^:]*:|[^,]*)", sent)
    if not told:
        return None
    try:
        return base64.b64decode(told[1].strip(":"), validate=True) or b"?"
    except ValueError:
        return b"?"


def init_app(app: Flask) -> None:
    """Put the hooks around every request of ``app``."""
    app.request_class = Request
    if hops := app.extensions["imgpipe"].settings.proxy_hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, hops, hops, hops, hops, hops)  # type: ignore[method-assign]
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES
    app.before_request(partial(_begin, app.extensions["imgpipe"].jobs))
    app.after_request(_end)
    app.teardown_request(lambda _error: logs.tag("-"))


def limit_body(max_bytes: int, limit: int, option: str) -> None:
    """Let at most ``max_bytes`` of body in; a refusal names the ``limit``, bytes, that ``option`` sets."""
    request.max_content_length = max_bytes
    g.limit = (limit, option)


def too_large() -> TooLarge:
    """Return the refusal of a body that is over the limit of the present request."""
    return TooLarge(*g.get("limit", (BODY_BYTES,)))


def current() -> Request:
    """Return the present request itself: each look at it through Flask's proxy costs as much as a header."""
    found: Request = request._get_current_object()  # type: ignore[attr-defined]
    return found


def request_id() -> str:
    """Return the id of the present request."""
    return current().id


def _begin(jobs: Jobs) -> None:
    logs.tag(request_id())
    jobs.start()


def _end(response: Response) -> Response:
    asked = current()
    if response.status_code >= 400:
        _drain()
    response.headers.add("X-Request-ID", asked.id)
    response.headers.add("X-Content-Type-Options", "nosniff")
    took_s = time.perf_counter() - asked.began
    _count(asked, response.status_code, took_s)
    _note(asked, response.status_code, took_s)
    return response


def _note(asked: Request, status: int, took_s: float) -> None:
    quiet = status < 400 and asked.method in ("GET", "HEAD")
    level = logging.DEBUG if quiet else logging.INFO
    if log.isEnabledFor(level):
        key = f" key={g.key_name}" if "key_name" in g else ""
        log.log(level, "%s %s %d %.0f ms%s", asked.method, asked.path, status, took_s * 1000, key)


def _count(asked: Request, status: int, took_s: float) -> None:
    """Count the request by its rule, never by its path: what a client makes up would fill the memory."""
    rule = asked.url_rule.rule if asked.url_rule else "unknown"
    method = asked.method if asked.method in METHODS else "OTHER"
    requests, seconds = _counters(method, rule, status)
    requests.inc()
    seconds.observe(took_s)


@cache
def _counters(method: str, rule: str, status: int) -> tuple[Counter, Histogram]:
    """Find the counters of such requests once; the library would compare all labels every time."""
    return metrics.REQUESTS.labels(method, rule, status), metrics.REQUEST_SECONDS.labels(method, rule)


def _drain() -> None:
    """Read away what is left of a refused body: a client that still sends would not see the answer."""
    if not (request.content_length or "chunked" in request.headers.get("Transfer-Encoding", "")):
        return
    body = request.environ["wsgi.input"]
    if _expects_continue() and not body.received:
        return
    left, deadline = DRAIN_BYTES, time.monotonic() + DRAIN_S
    with contextlib.suppress(ImgpipeError, OSError, ValueError, HTTPException), _cut_off_after(DRAIN_S):
        while left > 0 and time.monotonic() < deadline:
            chunk = body.read(min(left, 2**16))
            if not chunk:
                return
            left -= len(chunk)


def _expects_continue() -> bool:
    """Tell whether the client holds its body back until it is asked for, and the server leaves that to us."""
    expects = request.headers.get("Expect", "").lower() == "100-continue"
    return expects and "gunicorn.socket" in request.environ


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
