"""Know the units of depth: read them from headers, and convert between them exactly.

A foot is 0.3048 m and an inch 0.0254 m by definition (international yard and pound agreement, 1959). Depths
count as the decimals that they are written as: 10.1 ft are 3.07848 m, and nothing else that is near.
"""

import re
from fractions import Fraction

import numpy as np

from imgpipe.errors import InvalidParameter
from imgpipe.scanlines import exact
from imgpipe.scanlines.rows import Depths

METRES = {
    "m": Fraction(1),
    "ft": Fraction(3048, 10_000),
    "in": Fraction(254, 10_000),
    "0.1in": Fraction(254, 100_000),
}
# As LAS, DLIS and people write them; F is feet in LAS.
_SPELLINGS = {
    "m": ("m", "meter", "meters", "metre", "metres", "mtr", "mt"),
    "ft": ("ft", "f", "feet", "foot"),
    "in": ("in", "inch", "inches"),
    "0.1in": ("0.1in", ".1in", "0.1inch", ".1inch", "0.1inches", ".1inches", "1/10in", "in/10"),
}
_NAMES = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings}
# depth[ft]   Depth (m)   depth   and, as LAS has it, DEPT.M   DEPTH.FT
_HEADER = re.compile(r"depth(?:\s*\[(.*)\]|\s*\((.*)\))?|dept?h?\s*\.\s*(.*)", re.IGNORECASE)


def parse(text: str) -> str:
    """Return the unit that a parameter names. Raises: InvalidParameter."""
    if text not in METRES:
        raise InvalidParameter(
            f"depth_unit: expected one of {', '.join(METRES)}", details={"parameter": "depth_unit"}
        )
    return text


def recognise(spelling: str) -> str | None:
    """Return the unit behind what a file calls it, such as ``F``, ``feet`` or ``0.1 in``; None if unknown."""
    return _NAMES.get(re.sub(r"\s", "", spelling).lower())


def split_header(name: str) -> tuple[str | None] | None:
    """Return the spelling of the unit in the name of a depth column, or in a tuple None where it has none.

    None for the name of anything but depth.
    """
    match = _HEADER.fullmatch(name.strip())
    if match is None:
        return None
    spelling = next((group for group in match.groups() if group is not None), None)
    return (spelling,) if spelling is None or spelling.strip() else (None,)


def convert(depths: Depths, unit: str, to: str) -> Depths:
    """Return the depths in another unit, each rounded once, to the nearest double."""
    return depths if unit == to else exact.multiplied(depths, METRES[unit] / METRES[to])


def convert_span(span: Fraction, unit: str, to: str) -> Fraction:
    """Return a difference of depths, such as a window, in another unit, exactly."""
    return span * METRES[unit] / METRES[to]


def find_bounds(depth_min: float, depth_max: float, asked: str, stored: str) -> tuple[float, float]:
    """Return the bounds, ends included, of the stored depths that lie within those asked once converted.

    So that every depth that was told in the unit asked can be asked for, whatever its rounding.
    """
    if asked == stored:
        return depth_min, depth_max
    return _reach(depth_min, asked, stored, -1), _reach(depth_max, asked, stored, 1)


def _reach(bound: float, asked: str, stored: str, direction: int) -> float:
    """Return the last double in a direction whose converted value does not pass the bound."""
    if not np.isfinite(bound):
        return bound
    ratio = METRES[stored] / METRES[asked]
    depth = float(exact.fraction(bound) / ratio)

    def passes(candidate: float) -> bool:
        return direction * float(exact.fraction(candidate) * ratio) > direction * bound

    while passes(depth):
        depth = float(np.nextafter(depth, -direction * np.inf))
    while not passes(further := float(np.nextafter(depth, direction * np.inf))):
        depth = further
    return depth
