"""Give names to colour tables. The maps come from ``cmap``: plain data on NumPy, read when first asked for.

The default is ``lajolla`` (F. Crameri, Scientific colour maps, zenodo.org/record/5501399): borehole images
are by custom dark brown where the rock conducts and pale yellow where it resists, and of the maps of that
look this one is perceptually even, so that a step in the log is a step to the eye, colour-blind or not.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import cmap
import numpy as np
from numpy.typing import NDArray

from imgpipe.errors import InvalidParameter
from imgpipe.scanlines import frames

DEFAULT = "lajolla"
NAMES: Mapping[str, tuple[str, str]] = {  # name: (key in cmap, description)
    "lajolla": ("crameri:lajolla", "Black over brown to pale yellow, even; as borehole images look."),
    "gray": ("matlab:gray", "The pixel values as they are, black to white."),
    "viridis": ("bids:viridis", "Purple over green to yellow, perceptually even."),
    "copper": ("matlab:copper", "Black to light copper, the classic of the trade."),
    "YlOrBr": ("colorbrewer:YlOrBr", "Pale yellow over orange to dark brown: high values dark."),
    "batlow": ("crameri:batlow", "Dark blue over green to pink, perceptually even."),
    "cividis": ("cividis:cividis", "Blue to yellow, nearly the same to colour-blind readers and others."),
    "inferno": ("bids:inferno", "Black over purple and orange to pale yellow, perceptually even, strong."),
    "magma": ("bids:magma", "Black over purple and pink to pale yellow, perceptually even."),
    "turbo": ("google:turbo", "A rainbow of strong local contrast, not even in lightness."),
}
_STOP = re.compile(r"([0-9]{1,3}):#?([0-9A-Fa-f]{6})")


@dataclass(frozen=True, slots=True)
class Entry:
    """A map to choose: its name, a sentence on it, and a picture of it, 256 x 1 px, as a data URI."""

    name: str
    description: str
    preview: str


def catalogue() -> list[Entry]:
    """List the named maps, the default first; each also exists reversed, as ``NAME_r``."""
    return [Entry(name, text, _preview(lut(name))) for name, (_, text) in NAMES.items()]


@lru_cache(maxsize=128)
def lut(name: str = DEFAULT, stops: str | None = None) -> NDArray[np.uint8]:
    """Return the colours of the values 0 to 255 as a read-only table, uint8 (256, 3).

    ``stops`` such as ``0:000000,128:ff0000,255:ffffff`` make a map of one's own, linear between them and
    constant outside, which takes precedence over ``name``.

    Raises: InvalidParameter that names the valid maps, or the form of the stops.
    """
    table = _named(name) if stops is None else _interpolated(stops)
    table.flags.writeable = False
    return table


def _named(name: str) -> NDArray[np.uint8]:
    base = name.removesuffix("_r")
    if base not in NAMES:
        raise InvalidParameter(
            f"There is no such colour map. Use one of {', '.join(NAMES)}; _r behind the name reverses it.",
            details={"parameter": "colormap", "valid": list(NAMES)},
        )
    table = _to_bytes(cmap.Colormap(NAMES[base][0]).lut(256)[:, :3] * 255)
    return table if base == name else table[::-1]


def _interpolated(stops: str) -> NDArray[np.uint8]:
    matches = [_STOP.fullmatch(stop.strip()) for stop in stops.split(",")]
    places = [int(match[1]) if match else -1 for match in matches]
    if len(places) < 2 or any(a >= b for a, b in zip([-1, *places], [*places, 256], strict=True)):
        raise InvalidParameter(
            "Colour stops are two or more of VALUE:RRGGBB with values from 0 to 255 in ascending order, "
            "such as 0:000000,128:ff0000,255:ffffff.",
            details={"parameter": "colormap_stops"},
        )
    colours = np.array([list(bytes.fromhex(match[2])) for match in matches if match])
    values = np.arange(256)
    return _to_bytes(np.stack([np.interp(values, places, channel) for channel in colours.T], axis=1))


def _to_bytes(table: NDArray[np.float64]) -> NDArray[np.uint8]:
    return (table + 0.5).astype(np.uint8)


def _preview(table: NDArray[np.uint8]) -> str:
    values = np.arange(256, dtype=np.uint8)[None]
    return "data:image/png;base64," + b64encode(frames.row_pngs(values, table)[0]).decode()
