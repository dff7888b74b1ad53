"""Lay an upload over the blocks that are there: only those it touches are written anew."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imgpipe.depthlogs.blocks import Found
from imgpipe.depthlogs.lines import Cutter, Lines, block_rows, overlaid
from imgpipe.scanlines.rows import Depths


@dataclass(frozen=True, slots=True)
class Spans:
    """From which depth to which, ends included, new rows belong to each of the ascending blocks.

    That is at least where its own rows lie. The gap behind a block that is less than half full belongs to
    it, or else to the next one that is: many small uploads side by side make few blocks.
    """

    lows: Depths
    highs: Depths

    def of(self, depths: Depths) -> NDArray[np.intp]:
        """Return for each depth 2 n + 1 in block n, 2 n in the gap before it."""
        block = np.searchsorted(self.lows, depths, "right") - 1
        highs = np.append(self.highs, -np.inf)  # of the block before the first
        return np.asarray(2 * block + 2 - (depths <= highs[block]))


def divide(blocks: Sequence[Found]) -> Spans:
    """Divide all depths among the blocks and the gaps that belong to none."""
    lows = np.array([block.depth_min for block in blocks])
    highs = np.array([block.depth_max for block in blocks])
    small = np.array([2 * block.rows < block_rows(block.width) for block in blocks], bool)
    if not len(blocks):
        return Spans(lows, highs)
    to_next = np.append(np.nextafter(lows[1:], -np.inf), np.inf)
    to_last = np.append(-np.inf, np.nextafter(highs[:-1], np.inf))
    taken_by_last = np.append(False, small[:-1])
    return Spans(np.where(small & ~taken_by_last, to_last, lows), np.where(small, to_next, highs))


def merge(new: Iterable[Lines], blocks: Sequence[Found], take: Callable[[Found], Lines]) -> Iterator[Lines]:
    """Yield the blocks to write for rows that ascend; ``take`` is asked for each block that these replace."""
    spans = divide(blocks)
    cutter = Cutter()
    place, old = -1, None
    for reached, lines in _runs(new, spans):
        if reached != place:
            if old is not None:
                yield from cutter.add(old)
            if place + 1 + place % 2 < reached:  # a block lies between that stays as it is
                yield from cutter.cut()
            place, old = reached, take(blocks[reached // 2]) if reached % 2 else None
        if old is None:
            yield from cutter.add(lines)
            continue
        due = int(np.searchsorted(old.depths, lines.depths[-1], "right"))
        yield from cutter.add(overlaid(old.part(0, due), lines))
        old = old.part(due, len(old))
    if old is not None:
        yield from cutter.add(old)
    yield from cutter.cut()


def _runs(new: Iterable[Lines], spans: Spans) -> Iterator[tuple[int, Lines]]:
    """Yield rows that belong to one place, and the place."""
    for lines in new:
        places = spans.of(lines.depths)
        ends = [*(np.flatnonzero(np.diff(places)) + 1).tolist(), len(lines)]
        start = 0
        for end in ends:
            yield int(places[start]), lines.part(start, end)
            start = end
