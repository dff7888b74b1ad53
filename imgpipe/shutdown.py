"""Leave a process without losing work and without waiting for it.

``concurrent.futures`` joins its threads at the interpreter's exit, which would make a plain stop last
as long as the longest job; so claims are given back, logs flushed, and the process left at once.
"""

import contextlib
import os
import signal
import threading
from types import FrameType
from typing import NoReturn

from flask import Flask

from imgpipe import logs
from imgpipe.extensions import Parts

ANSWER_S = 0.2  # for the answers of requests that were waiting


def under_gunicorn() -> bool:
    """Tell whether gunicorn loads the app (it names itself in the environment)."""
    return os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn")


def on_signals(app: Flask) -> None:
    """Let SIGTERM and Ctrl-C give the claims back first, if this process has begun to work.

    Python takes signal handlers in the main thread only; a server that runs elsewhere stays as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)

        def handle(number: int, frame: FrameType | None, before: object = before) -> None:
            parts: Parts = app.extensions["imgpipe"]
            if parts.jobs.started:
                parts.jobs.close()
                threading.Event().wait(ANSWER_S)
                leave()
            signal.signal(number, before)  # type: ignore[arg-type]
            signal.raise_signal(number)

        signal.signal(number, handle)


def begin_to_stop(app: Flask) -> threading.Thread:
    """Give the claims back beside the server's own winding down; returns the thread that does it."""
    parts: Parts = app.extensions["imgpipe"]
    thread = threading.Thread(target=parts.jobs.close, name="stop", daemon=True)
    thread.start()
    return thread


def leave() -> NoReturn:
    """End the process now."""
    with contextlib.suppress(Exception):
        logs.flush()
    os._exit(0)
