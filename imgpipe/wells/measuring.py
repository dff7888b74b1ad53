"""Look at what is in a frame: which way its index runs, how far apart it steps, how far values range."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgpipe.wells.contents import Channel, Frame

_DEPTH_UNIT = re.compile(r"m|met.*|mtr|mt|f|ft|feet|foot|(0?\.1|1/10)? ?in|.*inch.*|in/10|[ckm]m", re.I)
_TIME_UNIT = re.compile(r"s|sec.*|ms|msec.*|min.*|h|hrs?|hours?|d|days?|0?\.5 ?ms", re.I)
_DEPTH_NAME = re.compile(r".*dep(th?)?.*|md|tvd.*|index", re.I)
_TIME_NAME = re.compile(r"e?tim.*|date.*|utc.*", re.I)


def guess_index_type(name: str, unit: str, told: str = "") -> str:
    """Return ``depth``, ``time`` or ``unknown`` by what a file says of its index."""
    for kind, told_as, unit_as, name_as in (
        ("depth", ("DEPTH",), _DEPTH_UNIT, _DEPTH_NAME),
        ("time", ("TIME",), _TIME_UNIT, _TIME_NAME),
    ):
        if any(word in told.upper() for word in told_as) or unit_as.fullmatch(unit.strip()):
            return kind
        if not unit.strip() and name_as.fullmatch(name.strip()):
            return kind
    return "unknown"


def measure(frame: Frame, index: NDArray[Any], channels: list[NDArray[Any]], null: float | None) -> Frame:
    """Return the frame with what its index and its channels tell."""
    if index.dtype.kind not in "fiu" or index.ndim != 1:
        return replace(frame, problem=f"The index {frame.index} is not a number at each row.")
    if not len(index):
        return replace(frame, problem=f"The frame {frame.name} has no rows.")
    depths = to_depths(index)
    measured = zip(frame.channels, channels, strict=True)
    return replace(
        frame,
        channels=[_measure(channel, values, null) for channel, values in measured],
        direction=_find_direction(depths),
        spacing=_find_spacing(depths),
        rows=len(depths),
        first=_number(depths[0]),
        last=_number(depths[-1]),
        problem=_find_problem(frame, depths),
    )


def to_depths(index: NDArray[Any]) -> NDArray[np.float64]:
    """Return an index as doubles; one of 32 bits as the decimals that it is shown as, such as 2889.4."""
    if index.dtype == np.float32:
        return np.array([float(text) for text in map(str, index)], np.float64)
    return index.astype(np.float64)


def _measure(channel: Channel, values: NDArray[Any], null: float | None) -> Channel:
    if values.dtype.kind not in "fiu":
        return replace(channel, kind="text")
    seen = values[np.isfinite(values) & (values != (np.nan if null is None else null))]
    least, most = (float(seen.min()), float(seen.max())) if len(seen) else (None, None)
    return replace(channel, kind=values.dtype.name, minimum=least, maximum=most)


def _find_direction(depths: NDArray[np.float64]) -> str:
    steps = np.diff(depths)
    if (steps > 0).all():
        return "increasing"
    return "decreasing" if (steps < 0).all() else "none"


def _find_spacing(depths: NDArray[np.float64]) -> float | None:
    step = float(np.median(np.abs(np.diff(depths)))) if len(depths) > 1 else np.nan
    return float(f"{step:.9g}") if np.isfinite(step) else None


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _find_problem(frame: Frame, depths: NDArray[np.float64]) -> str | None:
    """Say why an index is none: of something else than depth, not finite, standing still, turning back."""
    if frame.index_type == "time":
        return f"The index {frame.index} of the frame {frame.name} is time ({frame.unit}), not depth."
    wrong = np.flatnonzero(~np.isfinite(depths))
    if len(wrong):
        return f"The index {frame.index} has no number in row {wrong[0] + 1:,}."
    steps = np.sign(np.diff(depths))
    if not len(steps) or (steps[0] and (steps == steps[0]).all()):
        return None
    row = int(np.flatnonzero(steps != (steps[0] or 1))[0])
    here, there = float(depths[row]), float(depths[row + 1])
    return (
        f"The index {frame.index} does not run one way: {here!r} is followed by {there!r} in row {row + 2:,}."
    )
