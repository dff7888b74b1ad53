"""Serve with gunicorn's threads, without letting slow clients occupy them.

gunicorn's own threaded worker reads a request inside one of its few threads and waits there for as long
as the client likes. Here a connection gets a thread once it has sent something, the thread gives its turn
to another whenever it waits for the client, and waiting has an end.
"""

import contextlib
import errno
import json
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from selectors import EVENT_READ
from threading import Semaphore
from typing import Any
from uuid import uuid4

from gunicorn import util
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn, ThreadWorker

from imgpipe.errors import RequestTimeout, envelope

WAITING = 248  # threads beside those that serve, for requests that wait for their clients
_PASSING = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED)  # accept(2): look again later


@dataclass(frozen=True)
class Deadlines:
    """How long a client may keep us waiting: without a byte, s; as slow as it likes, s; and how slow then."""

    no_byte_s: float = 10.0
    grace_s: float = 30.0
    least_bytes_s: int = 1_000


DEADLINES = Deadlines()


class ClientReader(SocketUnreader):  # type: ignore[misc]
    """Read what a client sends, within the deadlines of one request after another.

    Only the time spent waiting for the client counts, never that of the application. ``turns`` is what a
    thread holds while it works; it is given back for the length of a wait.
    """

    def __init__(self, sock: socket.socket, turns: Semaphore, deadlines: Deadlines = DEADLINES) -> None:
        super().__init__(sock)
        self._turns = turns
        self._deadlines = deadlines
        self.begin()

    def begin(self) -> None:
        """Start the clock of the next request on this connection."""
        self._received, self._waited_s, self._stalled = 0, 0.0, False
        self.body_is_held_back = False

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes, or none at the end. Raises: ``RequestTimeout``."""
        if self.body_is_held_back:
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.body_is_held_back = False
        size = min(max(size_hint or 0, self.mxchunk), self.max_body_chunk)
        before = self.sock.gettimeout()
        try:
            data = self._receive(size, before)
        finally:
            with contextlib.suppress(OSError):
                self.sock.settimeout(before)
        self._received += len(data)
        return data

    def _receive(self, size: int, limit_s: float | None) -> bytes:
        self.sock.settimeout(0)
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
            return bytes(self.sock.recv(size))
        timeout_s = self._timeout_s()
        if limit_s is not None and limit_s < timeout_s:  # gunicorn drains a body by a clock of its own
            self.sock.settimeout(limit_s)
            return bytes(self.sock.recv(size))
        with self._lent_turn():
            if timeout_s > 0:
                self.sock.settimeout(timeout_s)
                with contextlib.suppress(TimeoutError):
                    return bytes(self.sock.recv(size))
        self._stalled = True
        raise RequestTimeout

    def _timeout_s(self) -> float:
        """Return how long the next byte may take, s; nothing once the request was given up."""
        if self._stalled:
            return 0
        limits = self._deadlines
        due_s = max(limits.grace_s, self._received / limits.least_bytes_s)
        return min(limits.no_byte_s, due_s - self._waited_s)

    @contextlib.contextmanager
    def _lent_turn(self) -> Iterator[None]:
        self._turns.release()
        began = time.monotonic()
        try:
            yield
        finally:
            self._waited_s += time.monotonic() - began
            self._turns.acquire()


class Connection(TConn):  # type: ignore[misc]
    """Read by a ``ClientReader``, and close once."""

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any, turns: Semaphore) -> None:
        super().__init__(cfg, sock, client, server)
        self._turns = turns
        self._closed = False

    def init(self) -> None:
        """Put our reader under gunicorn's parser; at every further request its clock starts anew."""
        if self.initialized:
            if isinstance(self.parser.unreader, ClientReader):
                self.parser.unreader.begin()
            return
        super().init()
        if not self.is_http2:
            reader = ClientReader(self.sock, self._turns)
            reader.unread(self.parser.unreader.take_buffered())
            self.parser.unreader = reader

    def close(self, graceful: bool = False) -> None:
        """Close; whoever lingers for the client's end of it does so once."""
        if not self._closed:
            self._closed = True
            super().close(graceful)


class Worker(ThreadWorker):  # type: ignore[misc]
    """Serve as many requests at a time as gunicorn has threads; more may wait for their clients."""

    def init_process(self) -> None:
        """Count the turns before anything is served."""
        self._turns = Semaphore(self.cfg.threads)
        super().init_process()

    def get_thread_pool(self) -> Executor:
        """Make the threads: one a turn, and those that wait out of turn."""
        return ThreadPoolExecutor(self.cfg.threads + WAITING, thread_name_prefix="request")

    def accept(self, listener: Any) -> None:
        """Take a connection in; it gets a thread once it has sent something."""
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in _PASSING:
                return
            raise
        self.nr_conns += 1
        connection = Connection(self.cfg, sock, client, listener.getsockname(), self._turns)
        connection.timeout = time.monotonic() + DEADLINES.no_byte_s
        self.pending_conns.append(connection)
        readable = partial(self.on_pending_socket_readable, connection)
        self.poller.register(connection.sock, EVENT_READ, readable)

    def handle(self, conn: Connection) -> Any:
        """Serve the next request of a connection, and linger at its end in this thread, not in the loop."""
        with self._turns:
            kept = super().handle(conn)
        if not kept:
            conn.close(graceful=True)
        return kept

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Serve a request; a body that waits for leave to come gets it when somebody wants it.

        The connection closes behind a body that broke, stalled, or was never asked for: where the next
        request would begin is unknown.
        """
        reader, ends = conn.parser.unreader, req.should_close
        reader.body_is_held_back = req._expected_100_continue
        req._expected_100_continue = False
        req.should_close = lambda: reader.body_is_held_back or req.body.failed or ends()
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that did not become one; the late ones in the shape of our errors."""
        if not isinstance(exc, RequestTimeout):
            return super().handle_error(req, client, addr, exc)  # type: ignore[no-any-return]
        self.log.info("Gave up waiting for a request of %s", (addr or ("",))[0])
        with contextlib.suppress(OSError):
            util.write(client, _late(exc))
        return None


def _late(error: RequestTimeout) -> bytes:
    """Write the answer to a request whose header never came to its end."""
    id = uuid4().hex
    body = json.dumps(envelope(error, id)).encode()
    head = (
        "HTTP/1.1 408 Request Timeout",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"X-Request-ID: {id}",
        "X-Content-Type-Options: nosniff",
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body
