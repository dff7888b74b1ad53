"""Turn measured values into the 256 greys that are stored, and greys into true values again.

A value v of a scale from MIN to MAX is the grey (v - MIN) / (MAX - MIN) * 255, halves rounded up, all three
taken as the decimals that they are written as. ``survey`` finds MIN and MAX where a file is to tell them.
"""

import math
import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from imgpipe.errors import InvalidParameter
from imgpipe.scanlines import cells, contrast, exact
from imgpipe.scanlines.realcells import Reals
from imgpipe.scanlines.rows import Grey, Mask

GREYS = 255
NULLS = 20
UNIT_LENGTH = 40
# Closer bounds could not be told apart by doubles of their size at every grey, nor by their smallest.
_NARROWEST = Fraction(1, 10**9)
_SMALLEST = Fraction(1, 10**300)
_FOUND = re.compile(r"p([0-9.]{1,8}):p([0-9.]{1,8})")
_FORM = "expected MIN:MAX such as 0:2000, auto, or percentiles such as p2:p98"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A scale that is to be found in the values: their percentiles, 0 and 100 for the least and the most."""

    low: Fraction = Fraction(0)
    high: Fraction = Fraction(100)


@dataclass(frozen=True, slots=True)
class Scale:
    """The true values of the greys 0 and 255."""

    value_min: float
    value_max: float

    def to_grey(self, values: Reals) -> tuple[Grey, Mask | None, int]:
        """Return greys, uint8, holes where values are NaN (None if nowhere), and how many were clipped."""
        low, high = self.value_min, self.value_max
        if values.size and low <= values.min() and values.max() <= high:  # which is not so beside a NaN
            return self._round(values), None, 0
        holes = np.isnan(values)
        clipped = int(np.count_nonzero(values < low) + np.count_nonzero(values > high))
        grey = self._round(np.where(holes, low, np.clip(values, low, high)))
        return grey, holes if holes.any() else None, clipped

    def _round(self, values: Reals) -> Grey:
        """Return the greys of values within the bounds.

        Doubles do it where they are far enough from a half; what is near one is done on paper, each
        value once.
        """
        shifted = values - self.value_min
        shifted *= GREYS / (self.value_max - self.value_min)
        shifted += 0.5
        grey = shifted.astype(np.uint8)
        shifted -= np.rint(shifted)
        near = np.abs(shifted, out=shifted) < self._doubt()
        if near.any():
            unlike, places = np.unique(values[near], return_inverse=True)
            grey[near] = np.array([self._to_grey(value) for value in unlike.tolist()], np.uint8)[places]
        return grey

    def to_values(self) -> Reals:
        """Return the true value of each grey, float64 (256,)."""
        low, span = exact.fraction(self.value_min), self._span()
        return np.array([float(low + Fraction(grey, GREYS) * span) for grey in range(GREYS + 1)])

    def _to_grey(self, value: float) -> int:
        share = (exact.fraction(value) - exact.fraction(self.value_min)) / self._span()
        return math.floor(min(max(share, Fraction(0)), Fraction(1)) * GREYS + Fraction(1, 2))

    def _span(self) -> Fraction:
        return exact.fraction(self.value_max) - exact.fraction(self.value_min)

    def _doubt(self) -> float:
        """Return more than doubles can be wrong by, on the scale of greys."""
        largest = max(abs(self.value_min), abs(self.value_max))
        return 2.0**-40 * (1 + largest / (self.value_max - self.value_min))


def parse(text: str) -> Scale | Wanted:
    """Read the parameter ``scale``. Raises: InvalidParameter."""
    if text == "auto":
        return Wanted()
    if match := _FOUND.fullmatch(text):
        try:
            return Wanted(*contrast.parse_percentiles(f"{match[1]},{match[2]}"))
        except InvalidParameter as error:
            raise refusal("expected percentiles of 0 to 100 in ascending order, such as p2:p98") from error
    bounds = [cells.parse_depth(part) for part in text.split(":")]
    if len(bounds) != 2 or bounds[0] is None or bounds[1] is None:
        raise refusal(_FORM)
    return between(bounds[0], bounds[1])


def between(value_min: float, value_max: float) -> Scale:
    """Return the scale between two values. Raises: InvalidParameter where it would be empty."""
    low, high = exact.fraction(value_min), exact.fraction(value_max)
    if low >= high:
        raise refusal("expected MIN below MAX")
    narrowest = max(_NARROWEST * max(abs(low), abs(high)), _SMALLEST)
    if high - low < narrowest or not math.isfinite(value_max - value_min):
        raise refusal("expected MIN and MAX that doubles can tell apart at every grey between them")
    return Scale(value_min, value_max)


def parse_nulls(text: str) -> tuple[float, ...]:
    """Read the parameter ``null``, numbers with commas between them. Raises: InvalidParameter."""
    nulls = [cells.parse_depth(part) for part in text.split(",")]
    if None in nulls or len(nulls) > NULLS:
        raise InvalidParameter(
            f"null: expected 1 to {NULLS} finite numbers such as -999.25,-9999",
            details={"parameter": "null"},
        )
    return tuple(dict.fromkeys(null for null in nulls if null is not None))


def parse_missing(text: str) -> bool:
    """Read the parameter ``missing``: whether a cell may be empty. Raises: InvalidParameter."""
    if text not in ("refuse", "allow"):
        raise InvalidParameter("missing: expected allow or refuse", details={"parameter": "missing"})
    return text == "allow"


def parse_unit(text: str) -> str:
    """Read the parameter ``value_unit``, 1 to 40 printable characters. Raises: InvalidParameter."""
    if not 1 <= len(text) <= UNIT_LENGTH or not text.isprintable() or text != text.strip():
        raise InvalidParameter(
            f"value_unit: expected 1 to {UNIT_LENGTH} printable characters",
            details={"parameter": "value_unit"},
        )
    return text


def refusal(problem: str) -> InvalidParameter:
    """Make the error that says what is wrong with a scale."""
    return InvalidParameter(f"scale: {problem}", details={"parameter": "scale"})
