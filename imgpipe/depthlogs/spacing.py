"""Find the median difference between the depths of a log, however many, without holding them."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from imgpipe.scanlines.rows import Depths

_DIGIT_BITS = 16


def median_step(rows: int, read: Callable[[], Iterable[Depths]]) -> float | None:
    """Return the median difference of ascending depths, to nine digits; None where there is no finite one.

    ``read`` yields all depths, ``rows`` in number, in parts, as often as it is called. The tenth digit would
    show how doubles round: 9000.2 - 9000.1 is 0.1000000000003638.
    """
    if rows < 2:
        return None
    middle = {(rows - 2) // 2, (rows - 1) // 2}
    with np.errstate(over="ignore"):
        step = float(np.mean([_find(rank, read) for rank in middle]))
    return float(f"{step:.9g}") if np.isfinite(step) else None


def _find(rank: int, read: Callable[[], Iterable[Depths]]) -> float:
    """Return the difference at ``rank``: sixteen bits a pass, as positive doubles sort like their bits."""
    found = 0
    for shift in range(64 - _DIGIT_BITS, -1, -_DIGIT_BITS):
        counts = np.zeros(1 << _DIGIT_BITS, np.int64)
        for differences in _differences(read()):
            bits = differences.view(np.uint64) >> np.uint64(shift)
            own = bits[bits >> np.uint64(_DIGIT_BITS) == found] if found else bits[bits < len(counts)]
            counts += np.bincount((own & np.uint64(0xFFFF)).astype(np.intp), minlength=len(counts))
        below = np.cumsum(counts)
        digit = int(np.searchsorted(below, rank, "right"))
        rank -= int(below[digit - 1]) if digit else 0
        found = found << _DIGIT_BITS | digit
    return float(np.uint64(found).view(np.float64))


def _differences(parts: Iterable[Depths]) -> Iterator[Depths]:
    last = np.empty(0)
    for depths in parts:
        yield np.diff(np.concatenate([last, depths]))
        last = depths[-1:]
