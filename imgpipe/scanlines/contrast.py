"""Stretch grey values so that what is in the rock can be seen: by the histogram of a log, or of a window.

Everything is counted and compared in whole numbers, so that a row looks the same whatever is asked for with
it. ``windows`` does the moving kind with what is here.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from imgpipe.errors import InvalidParameter
from imgpipe.scanlines.rows import Grey, Mask

KINDS = ("none", "linear", "equalize")
PERCENTILES = (Fraction(2), Fraction(98))
GREYS = 256
# What a window of a single value becomes.
MIDDLE = 128
# Shares are compared as whole numbers of 64 bits: four digits leave room for 10**12 pixels.
PERCENTILE_DIGITS = 4
_PERCENTILE = re.compile(rf"[0-9]{{1,3}}(?:\.[0-9]{{1,{PERCENTILE_DIGITS}}})?")
_WINDOW = re.compile(r"[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15}")

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Contrast:
    """How to stretch: ``kind`` ``linear`` or ``equalize``, ``window`` in depth units or None for the log."""

    kind: str
    low: Fraction = PERCENTILES[0]
    high: Fraction = PERCENTILES[1]
    window: Fraction | None = None


def parse(kind: str = "none", percentiles: str | None = None, window: str | None = None) -> Contrast | None:
    """Read the parameters as they are sent, also those that the kind does not use; None for no contrast.

    Raises: InvalidParameter naming the one that is wrong.
    """
    if kind not in KINDS:
        raise _refusal("contrast", f"expected one of {', '.join(KINDS)}")
    low, high = PERCENTILES if percentiles is None else parse_percentiles(percentiles)
    span = None if window is None else _parse_window(window)
    return None if kind == "none" else Contrast(kind, low, high, span)


def histogram(grey: Grey, holes: Mask | None = None) -> Counts:
    """Count each grey value that is no hole, int64 (256,); the histograms of parts add up."""
    seen = grey.ravel() if holes is None else grey[~holes]
    return np.asarray(np.bincount(seen, minlength=GREYS), np.int64)


def table(counts: Counts, contrast: Contrast) -> Grey:
    """Return what each grey value becomes, uint8 (256,), by the histogram of all that is looked at."""
    greys = np.arange(GREYS, dtype=np.uint8)[None]
    return np.asarray(stretch(greys, np.cumsum(counts)[:, None], contrast)[0])


def apply(grey: Grey, holes: Mask | None, greys: Grey) -> Grey:
    """Put a table, uint8 (256,), on rows; holes become 0."""
    return blank(greys.take(grey), holes)


def blank(grey: Grey, holes: Mask | None) -> Grey:
    """Set the holes of fresh rows to 0, in place."""
    if holes is not None:
        grey[holes] = 0
    return grey


def stretch(grey: Grey, shares: NDArray[np.signedinteger], contrast: Contrast) -> Grey:
    """Stretch each row, uint8 (n, w), by its own cumulative histogram, a column of ``shares``, (256, n)."""
    if contrast.kind == "equalize":
        return _equalize(grey, shares)
    low, high = (_percentile(shares, percent)[:, None] for percent in (contrast.low, contrast.high))
    above = np.minimum(np.maximum(grey, low), high) - low
    stretched: Grey = _RAMPS.take((high - low) * np.uint16(GREYS) + above)
    return stretched


def _percentile(shares: NDArray[np.signedinteger], percent: Fraction) -> Grey:
    """Return for each column the least value that occurs and has ``percent`` of all at or below it."""
    units = 100 * 10**PERCENTILE_DIGITS
    needed = -(-shares[-1].astype(np.int64) * int(percent * 10**PERCENTILE_DIGITS) // units)
    fewer = shares[:-1] < np.maximum(needed, 1).astype(shares.dtype)
    return np.asarray(fewer.sum(axis=0, dtype=np.uint8))  # at most 255


def _equalize(grey: Grey, shares: NDArray[np.signedinteger]) -> Grey:
    """Compute in doubles, whose quotients cannot round up to the next whole number below 2**44 pixels."""
    columns = np.arange(shares.shape[1])
    least = shares[_percentile(shares, Fraction(0)), columns][:, None]
    others = (shares[-1][:, None] - least).astype(np.float64)
    above = shares.ravel().take(grey * np.intp(len(columns)) + columns[:, None]) - least
    with np.errstate(invalid="ignore", divide="ignore"):
        even = np.floor((510.0 * np.maximum(above, 0) + others) / (2 * others))
    return np.where(others == 0, MIDDLE, even).astype(np.uint8)


def _ramps() -> Grey:
    """Return, flat, what becomes of the value v above the lowest in a range of r: at 256 r + v."""
    ramp, above = np.arange(1, GREYS)[:, None], np.arange(GREYS)
    rising = np.minimum((510 * above + ramp) // (2 * ramp), GREYS - 1)
    return np.concatenate([np.full((1, GREYS), MIDDLE), rising]).astype(np.uint8).ravel()


def _refusal(parameter: str, problem: str) -> InvalidParameter:
    return InvalidParameter(f"{parameter}: {problem}", details={"parameter": parameter})


def parse_percentiles(text: str) -> tuple[Fraction, Fraction]:
    """Read two percentages such as ``2,98``, of four decimals at most. Raises: InvalidParameter."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 2 and all(map(_PERCENTILE.fullmatch, parts)):
        low, high = map(Fraction, parts)
        if low < high <= 100:
            return low, high
    raise _refusal("percentiles", "expected two of 0 to 100 in ascending order, such as 2,98")


def _parse_window(text: str) -> Fraction:
    if _WINDOW.fullmatch(text) and Fraction(text) > 0:
        return Fraction(text)
    raise _refusal("window", "expected a height above 0 in depth units, such as 2.5")


_RAMPS = _ramps()
