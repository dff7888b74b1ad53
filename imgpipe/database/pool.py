"""Lend connections for single statements, too, without what a transaction needs around it."""

from typing import cast

from sqlalchemy import QueuePool
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.pool.base import _ConnectionRecord


class Pool(QueuePool):
    """Share its connections between transactions and look-ups."""

    def lend(self) -> ConnectionPoolEntry:
        """Lend a connection, to be taken back with no transaction left on it. Raises: as ``connect`` does."""
        entry = cast(_ConnectionRecord, self._do_get())
        try:
            self.dispatch.checkout(entry.get_connection(), entry, None)
            entry.fresh = False  # or the next to connect would not ping it
        except BaseException:
            entry.invalidate()
            self.take_back(entry)
            raise
        return entry

    def take_back(self, entry: ConnectionPoolEntry) -> None:
        """Have the connection again, or one in its place where it was invalidated."""
        self._do_return_conn(entry)
