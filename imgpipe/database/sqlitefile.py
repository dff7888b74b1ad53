"""Notice when the file of an SQLite database is deleted, or another put in its place, under open connections.

They would go on with a file that has no name any more, and every commit would end with the process.
"""

import os
import sqlite3
from types import ModuleType
from typing import Any

from sqlalchemy.exc import OperationalError

try:  # SQLite before 3.51.3 can corrupt a WAL that several processes write; the wheel carries a newer one.
    from pysqlite3 import dbapi2 as _newer_sqlite

    sqlite: ModuleType = _newer_sqlite
except ImportError:
    sqlite = sqlite3

CANTOPEN = 14  # https://www.sqlite.org/rescode.html
FileId = tuple[int, int]  # device, inode
_held: dict[str, FileId] = {}  # what a server's workers inherit over the fork


def hold(path: str | None) -> None:
    """Hold on to the file that lies there now, in this process and in all that it forks from here on."""
    _held.clear()
    if path and (found := _identify(path)):
        _held[path] = found


class SqliteFile:
    """Hold on to the file that the server began with, or else this process, or else its first connection."""

    def __init__(self, path: str | None) -> None:
        self._path = path if path and path != ":memory:" else None
        self._first = _held.get(self._path or "") or self._identify()

    def refuse_other(self, *_: Any) -> None:
        """Let no connection make the file anew or open another. Raises: the driver's ``OperationalError``."""
        found = self._identify()
        if self._path and found is None:
            raise cannot_open("the database's file is gone")
        if self._first and found != self._first:
            raise cannot_open("the database's file was replaced")

    def remember(self, *_: Any) -> None:
        """Note which file the first connection has opened."""
        self._first = self._first or self._identify()

    def refuse_another(self, *_: Any) -> None:
        """Lend no connection with a file that is not the one of that name. Raises: ``OperationalError``."""
        if self._path and self._identify() != self._first:
            raise OperationalError(None, None, cannot_open("the database's file was deleted or replaced"))

    def _identify(self) -> FileId | None:
        return _identify(self._path) if self._path else None


def _identify(path: str) -> FileId | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def cannot_open(sentence: str) -> Exception:
    """Make the driver's own error of a file that can't be opened."""
    error: Exception = sqlite.OperationalError(sentence)
    error.sqlite_errorcode = CANTOPEN  # type: ignore[attr-defined]
    return error
