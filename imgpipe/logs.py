"""Log to the console and to a rotating file; every line says which request or picture it is about."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

from imgpipe.text import visible

FILE_BYTES = 10 * 2**20
FILES = 5
_subject: ContextVar[str] = ContextVar("subject", default="-")


@contextmanager
def tagged(subject: str) -> Iterator[None]:
    """Mark every line logged in this block, in this thread, with a request's or picture's id."""
    token = _subject.set(subject)
    try:
        yield
    finally:
        _subject.reset(token)


def tag(subject: str) -> None:
    """Mark every line logged from here on, in this thread."""
    _subject.set(subject)


class _TextFormatter(logging.Formatter):
    """One line a record, tracebacks indented below it."""

    def format(self, record: logging.LogRecord) -> str:
        head = (
            f"{_time(record)} {record.levelname:<7} [{_subject.get()}] {record.name}: {record.getMessage()}"
        )
        lines = [head]
        if record.exc_info:
            lines += self.formatException(record.exc_info).split("\n")
        return "\n    ".join(map(visible, lines))


class _JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": _time(record),
            "level": record.levelname,
            "about": _subject.get(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def set_up(data_dir: Path, style: str, level: str) -> None:
    """Send the logs of this process to stderr and to ``logs/app.log``; calling it again replaces both."""
    folder = data_dir / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    formatter = _JsonFormatter() if style == "json" else _TextFormatter()
    file = RotatingFileHandler(
        folder / "app.log",
        maxBytes=FILE_BYTES,
        backupCount=FILES,
        encoding="utf-8",
        errors="backslashreplace",
    )
    logger = logging.getLogger("imgpipe")
    for old in logger.handlers[:]:
        logger.removeHandler(old)
        old.close()
    for handler in (logging.StreamHandler(), file):
        handler.setFormatter(formatter)
        logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    warnings.showwarning = _log_warning


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Have what libraries warn of, such as Pillow of odd metadata, said beside the picture's id."""
    logging.getLogger("imgpipe.warnings").warning("%s: %s", category.__name__, message)


def flush() -> None:
    """Write out what is buffered, before a process leaves without ceremony."""
    for handler in logging.getLogger("imgpipe").handlers:
        handler.flush()


def _time(record: logging.LogRecord) -> str:
    return (
        datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
