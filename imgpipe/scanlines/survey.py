"""Find the bounds of a scale in the values themselves, exactly, however many there are.

While a file is read its values are kept aside on disk, and counted here by the first 16 bits of their
doubles, which sort like whole numbers. Only values with the right first bits can be the percentile, so that
one or two more looks at the disk, and never more than three for each bound, find it; the least and the
greatest need none. Memory stays under 10 MB.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from imgpipe.scanlines import scale
from imgpipe.scanlines.realcells import Reals
from imgpipe.scanlines.scale import Scale, Wanted

_BITS = 16
_BUCKETS = 1 << _BITS
# So many values are looked through in memory instead of by another look at the disk.
_FEW = 1 << 18
_SIGN = np.uint64(1 << 63)

Keys = NDArray[np.uint64]
Look = Callable[[], Iterable[Reals]]


class Survey:
    """Count values as they come, for the bounds that are wanted; NaN are holes and do not count."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self.values = 0
        self._least, self._greatest = np.inf, -np.inf
        self._counts = np.zeros(_BUCKETS, np.int64)

    def add(self, values: Reals) -> None:
        """Count values, float64 of any shape."""
        seen = values.size - int(np.count_nonzero(np.isnan(values)))
        if seen:  # and -0.0 becomes 0.0
            self._least = min(self._least, float(np.fmin.reduce(values, axis=None)) + 0.0)
            self._greatest = max(self._greatest, float(np.fmax.reduce(values, axis=None)) + 0.0)
        self.values += seen
        if self._wanted != Wanted():
            self._counts += np.bincount(_keys(values) >> np.uint64(64 - _BITS), minlength=_BUCKETS)

    def find(self, look: Look) -> Scale:
        """Return the scale between the two percentiles: of each the least value with so many at or below it.

        ``look`` gives all values that were added, once more at each call.

        Raises: InvalidParameter where there are no values, or the two percentiles are the same.
        """
        if not self.values:
            raise scale.refusal("there are only holes; give MIN:MAX")
        ranks = [
            max(1, -(-self.values * percent // 100)) for percent in (self._wanted.low, self._wanted.high)
        ]
        low, high = (self._select(int(rank), look) for rank in ranks)
        if low == high:
            raise scale.refusal(f"found nothing but {low!r} between the bounds; give MIN:MAX")
        return scale.between(low, high)

    def _select(self, rank: int, look: Look) -> float:
        """Return the value of a rank, from 1."""
        if rank == 1 or rank == self.values:
            return self._least if rank == 1 else self._greatest
        counts, prefix, known = self._counts, 0, 0
        while True:
            sums = np.cumsum(counts)
            bucket = int(np.searchsorted(sums, rank))
            rank -= int(sums[bucket] - counts[bucket])
            prefix, known = prefix << _BITS | bucket, known + _BITS
            if known == 64:
                return _value(prefix)
            if counts[bucket] <= _FEW:
                return _value(int(np.sort(np.concatenate(list(_within(look(), prefix, known))))[rank - 1]))
            counts = np.zeros(_BUCKETS, np.int64)
            for keys in _within(look(), prefix, known):
                parts = keys >> np.uint64(64 - _BITS - known) & np.uint64(_BUCKETS - 1)
                counts += np.bincount(parts, minlength=_BUCKETS)


def _within(values: Iterable[Reals], prefix: int, known: int) -> Iterable[Keys]:
    """Yield the keys that begin with these bits."""
    for some in values:
        keys = _keys(some)
        yield keys[keys >> np.uint64(64 - known) == prefix]


def _keys(values: Reals) -> Keys:
    """Return whole numbers that are in the order of the values."""
    seen = values[~np.isnan(values)] + 0.0  # -0.0 becomes 0.0
    bits = seen.view(np.uint64)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _value(key: int) -> float:
    bits = np.array([key], np.uint64)
    return float(np.where(bits & _SIGN, bits ^ _SIGN, ~bits).view(np.float64)[0])
