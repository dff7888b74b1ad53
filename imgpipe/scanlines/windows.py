"""Stretch each row by the histogram of the rows within half a window above and below it.

The window slides: a row is counted once when it comes in and once when it goes out. What is held are the rows
of one window, however long the log; how the rows come in blocks makes no difference.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from imgpipe.scanlines import contrast, exact
from imgpipe.scanlines.contrast import GREYS, Contrast
from imgpipe.scanlines.rows import Depths, Rows

# So many rows are stretched at once; each row that comes or goes meanwhile takes 3 KiB.
AT_ONCE = 1_024
# Up to here all rows of the windows are counted anew, each once; only longer windows slide.
SHORT = 4 * AT_ONCE

Ends = NDArray[np.intp]
Shares = NDArray[np.signedinteger]


def reach(depth_min: float, depth_max: float, window: Fraction) -> tuple[float, float]:
    """Return the bounds of the rows that ``moving`` has to see for a range."""
    low, high = exact.fraction(depth_min) - window / 2, exact.fraction(depth_max) + window / 2
    return float(np.nextafter(float(low), -np.inf)), float(np.nextafter(float(high), np.inf))


def moving(
    blocks: Iterable[Rows], how: Contrast, window: Fraction, depth_min: float, depth_max: float
) -> Iterator[Rows]:
    """Yield the rows from ``depth_min`` to ``depth_max``, ends included, stretched; holes are 0.

    ``blocks`` ascend and bring all rows within ``reach``; ``window`` is in the unit of their depths.
    """
    sliding = _Sliding(iter(blocks), window)
    for rows in sliding.centres(depth_min, depth_max):
        first, last = sliding.ends(rows.depths)
        start = 0
        while start < len(rows.depths):
            moved = (first[start:] - first[start]) + (last[start:] - last[start])
            end = start + int(np.searchsorted(moved[:AT_ONCE], 2 * AT_ONCE, "right"))
            part = rows.part(start, end)
            shares = sliding.shares(first[start:end], last[start:end])
            grey = contrast.stretch(part.grey, shares, how)
            yield part._replace(grey=contrast.blank(grey, part.holes))
            start = end


class _Sliding:
    """Hold the rows that some window may reach yet, and the histogram of the window that was last asked for.

    Rows are numbered as they come. ``_first`` and ``_last`` bound the window of ``_counts``.
    """

    def __init__(self, blocks: Iterator[Rows], window: Fraction) -> None:
        self._blocks = blocks
        self._half = window / 2
        self._held: deque[tuple[int, Rows]] = deque()
        self._depths: Depths = np.empty(0)
        self._begin = self._end = 0  # of the rows held
        self._first = self._last = 0
        self._counts: Shares = np.zeros(GREYS, np.int64)

    def centres(self, depth_min: float, depth_max: float) -> Iterator[Rows]:
        """Yield the blocks as far as they lie in the range, when all that their windows reach is held."""
        number = 0
        while self._end > number or self._read():
            start, block = next(held for held in self._held if held[0] == number)
            number = start + len(block.depths)
            inside = np.searchsorted(block.depths, [depth_min, np.nextafter(depth_max, np.inf)])
            rows = block.part(*inside.tolist())
            if len(rows.depths):
                self._read_to(float(rows.depths[-1]))
                yield rows
                self._forget()

    def ends(self, centres: Depths) -> tuple[Ends, Ends]:
        """Return for each centre the number of the first row of its window, and of the first after it."""
        first, last = find_ends(self._depths, centres, self._half)
        return first + self._begin, last + self._begin

    def shares(self, first: Ends, last: Ends) -> Shares:
        """Return the cumulative histograms of windows that only move on, int (256, n)."""
        counts: Shares
        if last[-1] - first[0] <= SHORT:
            summed = self._summed(int(first[0]), int(last[-1]))
            counts = _columns(summed, last - first[0]) - _columns(summed, first - first[0])
        else:
            counts = self._slide(first, last)
        self._first, self._last, self._counts = int(first[-1]), int(last[-1]), counts[:, -1].astype(np.int64)
        for before, here in pairwise(counts):  # numpy's cumsum along this axis takes thrice as long
            here += before
        return counts

    def _slide(self, first: Ends, last: Ends) -> Shares:
        """Go on from the window of the last time, row by row only where the new windows differ."""
        for rows in self._between(self._last, int(last[0])):
            self._counts += contrast.histogram(rows.grey, rows.holes)
        for rows in self._between(self._first, int(first[0])):
            self._counts -= contrast.histogram(rows.grey, rows.holes)
        coming = self._summed(int(last[0]), int(last[-1])).take(last - last[0], axis=1)
        going = self._summed(int(first[0]), int(first[-1])).take(first - first[0], axis=1)
        return np.asarray(self._counts[:, None] + coming - going)

    def _summed(self, first: int, last: int) -> Shares:
        """Return the histograms of none, one, two … of the rows, int32 (256, 1 + rows)."""
        size = 1 + last - first
        summed = np.zeros((GREYS, size), np.int32)
        done = 1
        for rows in self._between(first, last):
            summed[:, done : done + len(rows.grey)] = _count_rows(rows)
            done += len(rows.grey)
        return np.cumsum(summed, axis=1, dtype=np.int32, out=summed)

    def _between(self, first: int, last: int) -> Iterator[Rows]:
        for start, block in self._held:
            part = block.part(max(first - start, 0), max(last - start, 0))
            if len(part.depths):
                yield part

    def _read(self) -> bool:
        for block in self._blocks:
            if len(block.depths):
                self._held.append((self._end, block))
                self._depths = np.concatenate([self._depths, block.depths])
                self._end += len(block.depths)
                return True
        return False

    def _read_to(self, centre: float) -> None:
        beyond = reach(centre, centre, 2 * self._half)[1]
        while self._depths[-1] <= beyond and self._read():
            pass

    def _forget(self) -> None:
        """Let go of the blocks before the first row of the newest window: no later one reaches them."""
        while self._held and self._held[0][0] + len(self._held[0][1].depths) <= self._first:
            start, block = self._held.popleft()
            self._begin = start + len(block.depths)
            self._depths = self._depths[len(block.depths) :]


def find_ends(depths: Depths, centres: Depths, half: Fraction) -> tuple[Ends, Ends]:
    """Count for each centre the ascending depths below its window, and those below or inside it."""
    return _count(depths, centres, half, below=True), _count(depths, centres, half, below=False)


def _count(depths: Depths, centres: Depths, half: Fraction, *, below: bool) -> Ends:
    """Count by doubles where these are far enough apart, and by decimals between."""
    ends = centres + (-float(half) if below else float(half))
    margin = 4 * np.spacing(max(np.abs(depths[[0, -1]]).max(), np.abs(ends).max(), float(half)))
    least = np.searchsorted(depths, ends - margin)
    most = np.searchsorted(depths, ends + margin, "right")
    if (least == most).all():
        return np.asarray(least)
    near = depths[least[0] : most[-1]]
    found = exact.scaled(np.concatenate([centres, near]))
    if found is None:
        return _count_one_by_one(depths, centres, half, below, least, most)
    numbers, digits = found
    whole = int(half * 10**digits)  # of whole numbers a fraction of one reaches no further
    limits = numbers[: len(centres)] + (-whole if below else whole)
    places = np.searchsorted(numbers[len(centres) :], limits, "left" if below else "right")
    return np.asarray(least[0] + places)


def _count_one_by_one(
    depths: Depths, centres: Depths, half: Fraction, below: bool, least: Ends, most: Ends
) -> Ends:
    counted = least.copy()
    for place in np.flatnonzero(least < most).tolist():
        centre = exact.fraction(centres[place])
        for depth in depths[least[place] : most[place]].tolist():
            away = exact.fraction(depth) - centre
            counted[place] += away < -half if below else away <= half
    return counted


def _columns(summed: Shares, places: Ends) -> Shares:
    """Return columns, as a view where they stand in a row."""
    if (np.diff(places) == 1).all():
        return summed[:, places[0] : places[0] + len(places)]
    return summed.take(places, axis=1)


def _count_rows(rows: Rows) -> Shares:
    """Return the histogram of each row, int64 (256, n).

    Columns beside each other in the cache's sets, an odd number of its lines apart, take a fifth of the time
    of those that a power of two keeps apart.
    """
    count = len(rows.grey)
    apart = 8 * (-(-count // 8) | 1)
    places = rows.grey * np.intp(apart) + np.arange(count)[:, None]
    seen = places.ravel() if rows.holes is None else places[~rows.holes]
    return np.bincount(seen, minlength=apart * GREYS).reshape(GREYS, apart)[:, :count]
