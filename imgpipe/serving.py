"""Set gunicorn up: threads for requests, and in every worker the threads that do the work."""

import contextlib
import ctypes
import os
import runpy
import signal
import socket
import sys
from multiprocessing import get_context
from types import FrameType
from typing import Any

from sqlalchemy.engine import make_url

from imgpipe import shutdown, startup
from imgpipe.config import from_environment
from imgpipe.database import sqlitefile
from imgpipe.errors import ConfigError

try:
    settings = from_environment()
except ConfigError as error:
    sys.exit(str(error))

bind = f"{settings.host}:{settings.port}"
worker_class = "imgpipe.slowclients.Worker"
workers = settings.web_workers
threads = settings.web_threads
# Each worker listens for itself: on one shared socket a single worker takes every kept-alive connection.
reuse_port = True
limit_request_line = 8190  # long cursors still reach our own error
graceful_timeout = 2
keepalive = 5
control_socket_disable = True
KEPT_BYTES = 128 * 2**20  # a process; returned to the system above this
max_requests = 0  # a restarted worker drops what it is doing


def on_starting(server: Any) -> None:
    """Stop here when the port is taken (``reuse_port`` would share it in silence) or the schema fails."""
    for address in server.cfg.address:
        _refuse_taken(address)
    if _run("db", "upgrade"):
        sys.exit(1)
    _hold_database()


def on_reload(server: Any) -> None:
    """Take the database file for ours that is there when the server is told to begin anew (SIGHUP)."""
    _hold_database()


def when_ready(server: Any) -> None:
    """Tell what is served and where: with ``reuse_port`` the master itself has no address to show."""
    for address in server.cfg.address:
        where = startup.link(*address[:2]) if isinstance(address, tuple) else str(address)
        server.log.info("imgpipe serves %s", where)
    for line in startup.describe(settings):
        server.log.info("  %s", line)


def post_worker_init(worker: Any) -> None:
    """Start this worker's threads, after the fork; on SIGTERM give claims back before winding down."""
    app = worker.wsgi
    _keep_freed_memory()
    app.extensions["imgpipe"].jobs.start()
    wind_down = signal.getsignal(signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        shutdown.begin_to_stop(app)
        wind_down(number, frame)  # type: ignore[operator,misc]

    signal.signal(signal.SIGTERM, stop)
    signal.siginterrupt(signal.SIGTERM, False)


def worker_int(worker: Any) -> None:
    """Ctrl-C reaches the workers too."""
    if worker.booted:
        shutdown.begin_to_stop(worker.wsgi)


def worker_exit(server: Any, worker: Any) -> None:
    """Leave at once; this hook also runs in the master and after a failed start, which go on."""
    if worker.booted and worker.pid == os.getpid():
        shutdown.begin_to_stop(worker.wsgi).join(timeout=2)
        shutdown.leave()


def _run(*arguments: str) -> int | None:
    """Run a command of ours and return its exit status; in a fork, whose engines and threads end with it."""

    def command() -> None:
        sys.argv = ["imgpipe", *arguments]
        runpy.run_module("imgpipe", run_name="__main__")

    child = get_context("fork").Process(target=command)
    child.start()
    child.join()
    return child.exitcode


def _hold_database() -> None:
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        sqlitefile.hold(url.database and str(settings.data_dir / url.database))


def _keep_freed_memory() -> None:
    """Have glibc reuse the memory of the last picture for the next one: new pages cost a tenth of the time.

    The numbers are M_TRIM_THRESHOLD and M_MMAP_THRESHOLD (mallopt(3)); other C libraries go on as they do.
    """
    with contextlib.suppress(OSError, AttributeError):
        tune = ctypes.CDLL("libc.so.6").mallopt
        for parameter, size in ((-1, KEPT_BYTES), (-3, KEPT_BYTES // 4)):
            tune(parameter, size)


def _refuse_taken(address: Any) -> None:
    if not isinstance(address, tuple):
        return
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address[:2])
        except OSError as error:
            sys.exit(f"HOST={address[0]!r}, PORT={address[1]}: expected a free port ({error.strerror})")
