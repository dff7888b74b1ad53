"""Sort rows by depth on disk: each depth once, the last line of a file winning, in little memory."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from imgpipe.depthlogs.spool import Bytes, Spool
from imgpipe.scanlines.rows import Depths

RUN_BYTES = 8 << 20


class Runs:
    """Write rows in the order of a file to a spool as ascending runs; a file in order is one run.

    In a run each depth stands once. Rows out of order wait until there are enough of them to be sorted.
    """

    def __init__(self, spool: Spool, row_bytes: int, run_bytes: int = RUN_BYTES) -> None:
        self._spool = spool
        self._run_bytes = run_bytes
        self._row_bytes = row_bytes
        self._waiting: list[tuple[Depths, Bytes]] = []
        self._waiting_bytes = 0
        self._last = -np.inf
        self.ends: list[int] = []

    def add(self, depths: Depths, source: Bytes) -> None:
        """Take rows as they come."""
        if not self._waiting and depths[0] > self._last and (depths[1:] > depths[:-1]).all():
            self._write(depths, source)
            return
        self._waiting.append((depths, source))
        self._waiting_bytes += len(depths) * self._row_bytes
        if self._waiting_bytes >= self._run_bytes:
            self._sort()

    def finish(self) -> None:
        """Write what still waits."""
        if self._waiting:
            self._sort()
        self._spool.flush()

    def _sort(self) -> None:
        depths = np.concatenate([depths for depths, _ in self._waiting])
        source = np.concatenate([source for _, source in self._waiting])
        self._waiting, self._waiting_bytes = [], 0
        order = last_of_each(depths)
        self._write(depths[order], source[order])

    def _write(self, depths: Depths, source: Bytes) -> None:
        self._spool.append((depths, source))
        if self.ends and depths[0] > self._last:
            self.ends.pop()
        self._last = float(depths[-1])
        self.ends.append(self._spool.rows)


def last_of_each(depths: Depths) -> NDArray[np.intp]:
    """Return where to find each depth's last row, in ascending order of depth."""
    order = np.argsort(depths, kind="stable")
    ascending = depths[order]
    return np.asarray(order[np.append(ascending[1:] > ascending[:-1], True)])


def merge(
    spool: Spool, ends: Sequence[int], row_bytes: int, run_bytes: int = RUN_BYTES
) -> Iterator[tuple[Depths, Bytes]]:
    """Yield the rows of all runs in ascending depth, each depth once: the row of the latest run.

    A part of each run is in memory, together as much as one run was while it was sorted.
    """
    rows = max(1, run_bytes // row_bytes // len(ends))
    runs = [_Run(spool, start, end, rows) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    while runs := [run for run in runs if run.fill()]:
        # Up to the nearest end of what is in memory, nothing can come any more that belongs before.
        until = min(float(run.depths[-1]) for run in runs)
        taken = [run.take(until) for run in runs]
        depths = np.concatenate([depths for depths, _ in taken])
        order = last_of_each(depths)
        yield depths[order], np.concatenate([source for _, source in taken])[order]


class _Run:
    """Read a run from its beginning, some rows at a time."""

    def __init__(self, spool: Spool, start: int, end: int, rows: int) -> None:
        self._spool, self._next, self._end, self._rows = spool, start, end, rows
        self.depths: Depths = np.empty(0)
        self._source: Bytes = np.empty((0, 0), np.uint8)

    def fill(self) -> bool:
        """Have rows in memory; False when the run is at its end."""
        if not len(self.depths) and self._next < self._end:
            until = min(self._next + self._rows, self._end)
            self.depths = depths_of(self._spool, self._next, until)
            self._source = self._spool.read(self._next, until, 1)
            self._next = until
        return bool(len(self.depths))

    def take(self, until: float) -> tuple[Depths, Bytes]:
        """Hand out the rows in memory up to a depth, this one included."""
        count = int(np.searchsorted(self.depths, until, "right"))
        taken = self.depths[:count], self._source[:count]
        self.depths, self._source = self.depths[count:], self._source[count:]
        return taken


def depths_of(spool: Spool, start: int, end: int) -> Depths:
    """Read depths, which are the first column."""
    return spool.read(start, end, 0).reshape(-1).view(np.float64)
