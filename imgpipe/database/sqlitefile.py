"""Notice when the file of an SQLite database is deleted, or another put in its place, under open connections.

They would go on with a file that has no name any more, and every commit would end with the process.
"""

import os
import sqlite3
from types import ModuleType
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

try:  # SQLite before 3.51.3 can corrupt a WAL that several processes write; the wheel carries a newer one.
    from pysqlite3 import dbapi2 as _newer_sqlite

    sqlite: ModuleType = _newer_sqlite
except ImportError:
    sqlite = sqlite3

CANTOPEN = 14  # https://www.sqlite.org/rescode.html


class SqliteFile:
    """Hold on to the file that this process connected to first, by device and inode."""

    def __init__(self, path: str | None) -> None:
        self._path = path if path and path != ":memory:" else None
        self._first: tuple[int, int] | None = None

    def refuse_missing(self, *_: Any) -> None:
        """Let no connection make the file anew. Raises: the driver's ``OperationalError``."""
        if self._path and self._identify() is None:
            raise _missing("the database's file is gone")

    def remember(self, *_: Any) -> None:
        """Note which file the first connection has opened."""
        self._first = self._first or self._identify()

    def refuse_another(self, _: Connection) -> None:
        """Begin no transaction on a file that is not the one of that name. Raises: ``OperationalError``."""
        if self._path and self._identify() != self._first:
            raise OperationalError(None, None, _missing("the database's file was deleted or replaced"))

    def _identify(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _missing(sentence: str) -> Exception:
    error: Exception = sqlite.OperationalError(sentence)
    error.sqlite_errorcode = CANTOPEN  # type: ignore[attr-defined]
    return error
