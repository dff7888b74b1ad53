"""Draw logs as a figure for a report: side by side on one depth axis, with their true values, true to scale.

matplotlib does it, an extra; one figure at a time, for it is not made for threads. Names are plain text:
what looks like mathematics in them is drawn as it stands.
"""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from imgpipe.errors import InvalidParameter
from imgpipe.scanlines import units
from imgpipe.scanlines.rows import Depths, Grey, Mask, Rows
from imgpipe.scanlines.scale import Scale

FORMATS = ("png", "svg", "pdf")
LOGS = 6
# The height of a sheet without a scale, and the tallest: a PDF has no more (ISO 32000, annex C).
HEIGHT_IN, HEIGHT_MAX_IN = 10.0, 200.0
DOTS_PER_INCH = 100
METRES_PER_INCH = 0.0254
_MARGIN_IN, _TRACK_IN, _BAR_IN = 0.9, 2.4, 0.18
_SCALE = re.compile(r"1:([1-9][0-9]{0,5})")
_DRAWING = Lock()


@dataclass(frozen=True, slots=True)
class Track:
    """One log in a figure: its rows, already stretched, and how to read their colours.

    ``bar`` says what became of each stored grey, uint8 (256,); None where it differs from row to row.
    """

    name: str
    rows: Rows
    scale: Scale | None = None
    value_unit: str | None = None
    bar: Grey | None = None


def parse_scale(text: str) -> int:
    """Return N of ``1:N``. Raises: InvalidParameter."""
    match = _SCALE.fullmatch(text)
    if match is None:
        raise InvalidParameter(
            "scale: expected 1:N with a whole N up to 999999, such as 1:200", details={"parameter": "scale"}
        )
    return int(match[1])


def find_height(depth_min: float, depth_max: float, depth_unit: str | None, scale: int | None) -> float:
    """Return how tall the depths are on paper, in inches.

    Raises: InvalidParameter above 200 inches, or where the scale of depths without a unit is asked for.
    """
    if scale is None:
        return HEIGHT_IN
    if depth_unit is None:
        raise InvalidParameter(
            "scale: the unit of the log's depths is not known", details={"parameter": "scale"}
        )
    height = (depth_max - depth_min) * float(units.METRES[depth_unit]) / scale / METRES_PER_INCH
    if height > HEIGHT_MAX_IN:
        raise InvalidParameter(
            f"scale: at 1:{scale} the figure is {height:,.0f} inches tall; {HEIGHT_MAX_IN:.0f} are the most, "
            "so ask for fewer depths or a smaller scale",
            details={"parameter": "scale", "height_in": round(height, 1), "limit": HEIGHT_MAX_IN},
        )
    return max(height, 1.0)


def draw(
    tracks: Sequence[Track],
    table: Grey,
    *,
    bounds: tuple[float, float],
    depth_unit: str | None = None,
    title: str | None = None,
    scale: int | None = None,
    format: str = "png",
    null_color: tuple[int, int, int] | None = None,
) -> bytes:
    """Draw one to six logs over the depths of ``bounds`` in the colours ``table``, uint8 (256, 3).

    Raises: InvalidParameter as ``find_height`` does, and where matplotlib is not installed.
    """
    height = find_height(*bounds, depth_unit, scale)
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InvalidParameter(
            "Figures need the extra: pip install 'imgpipe[figures]'.", details={"parameter": "format"}
        ) from error
    options: Any = {"text.parse_math": False, "text.usetex": False, "svg.hashsalt": "imgpipe"}
    with _DRAWING, matplotlib.rc_context(options):
        low, high = bounds if bounds[0] < bounds[1] else (bounds[0] - 0.5, bounds[1] + 0.5)
        figure = _Sheet(Figure, len(tracks), height, (low, high))
        for place, track in enumerate(tracks):
            figure.add(place, track, table, null_color)
        figure.label(depth_unit, title, scale)
        return figure.save(format)


class _Sheet:
    """A figure with a column for each log: its colour bar above, its picture below."""

    def __init__(self, make: Any, columns: int, height: float, bounds: tuple[float, float]) -> None:
        self._columns, self._height, self._bounds = columns, height, bounds
        self._size = (columns * _TRACK_IN + 2 * _MARGIN_IN, height + 2.6 * _MARGIN_IN)
        self._figure = make(figsize=self._size, dpi=DOTS_PER_INCH)
        self._axes: list[Any] = []

    def add(self, place: int, track: Track, table: Grey, null_color: tuple[int, int, int] | None) -> None:
        """Draw a log and its colour bar."""
        left = _MARGIN_IN + place * _TRACK_IN
        axes = self._place(left, 0.6 * _MARGIN_IN, _TRACK_IN * 0.86, self._height)
        picture = paint(track.rows, self._bounds, round(self._height * DOTS_PER_INCH), table, null_color)
        low, high = self._bounds
        axes.imshow(picture, extent=(0, 360, high, low), aspect="auto", interpolation="nearest")
        axes.set_xticks([0, 90, 180, 270, 360])
        axes.tick_params(labelsize=7, labelleft=place == 0)
        axes.set_ylim(high, low)
        self._axes.append(axes)
        bar = self._place(left, self._height + 1.1 * _MARGIN_IN, _TRACK_IN * 0.86, _BAR_IN)
        self._draw_bar(bar, track, table)

    def _draw_bar(self, bar: Any, track: Track, table: Grey) -> None:
        low, high = (track.scale.value_min, track.scale.value_max) if track.scale else (0.0, 255.0)
        shown = np.arange(256, dtype=np.uint8) if track.bar is None else track.bar
        if track.bar is None:
            low, high = 0.0, 255.0
        bar.imshow(table[shown][None], extent=(low, high, 0, 1), aspect="auto")
        bar.set_yticks([])
        bar.set_xticks([low, (low + high) / 2, high])
        bar.tick_params(labelsize=6)
        unit = f" ({track.value_unit})" if track.value_unit and track.bar is not None else ""
        relative = " (stretched)" if track.bar is None else ""
        bar.set_title(f"{track.name}{unit}{relative}", fontsize=9)

    def label(self, depth_unit: str | None, title: str | None, scale: int | None) -> None:
        """Write what stands beside the logs."""
        self._axes[0].set_ylabel("depth" if depth_unit is None else f"depth ({depth_unit})", fontsize=9)
        for axes in self._axes:
            axes.set_xlabel("azimuth (°)", fontsize=7)
        heading = " · ".join([*([title] if title else []), *([f"1:{scale}"] if scale else [])])
        if heading:
            top = 1 - 0.15 * _MARGIN_IN / self._size[1]
            self._figure.text(0.5, top, heading, ha="center", va="top", fontsize=11)

    def save(self, format: str) -> bytes:
        """Return the file, the same bytes for the same figure."""
        metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}[format]
        target = io.BytesIO()
        self._figure.savefig(target, format=format, metadata=metadata)
        return target.getvalue()

    def _place(self, left: float, bottom: float, width: float, height: float) -> Any:
        """Make axes at a place in inches."""
        across, down = self._size
        return self._figure.add_axes((left / across, bottom / down, width / across, height / down))


def paint(
    rows: Rows, bounds: tuple[float, float], dots: int, table: Grey, null_color: tuple[int, int, int] | None
) -> Grey:
    """Return a picture of so many dots of equal depth, uint8 (dots, w, 4), clear where there is nothing.

    A dot is the mean of the rows in it, else the nearest row if that is not farther than rows usually are.
    """
    grey, empty, holes = _resample(rows, bounds, dots)
    picture = np.full((*grey.shape, 4), 255, np.uint8)
    picture[..., :3] = table[grey]
    picture[holes] = (0, 0, 0, 0) if null_color is None else (*null_color, 255)
    picture[empty] = 0
    return picture


def _resample(rows: Rows, bounds: tuple[float, float], dots: int) -> tuple[Grey, Mask, Mask]:
    """Return the grey of each dot, the dots without rows, and the holes in the others."""
    low, high = bounds
    edges = np.linspace(low, high, dots + 1)
    edges[-1] = np.nextafter(high, np.inf)
    first, last = np.searchsorted(rows.depths, edges[:-1]), np.searchsorted(rows.depths, edges[1:])
    near, far = _nearest(rows.depths, (edges[:-1] + edges[1:]) / 2)
    alone = first == last
    first, last = np.where(alone, near, first), np.where(alone, near + 1, last)
    solid = np.ones(rows.grey.shape, bool) if rows.holes is None else ~rows.holes
    sums = _sum_between(rows.grey * solid, first, last)
    counts = _sum_between(solid.view(np.uint8), first, last)
    grey = ((sums + counts // 2) // np.maximum(counts, 1)).astype(np.uint8)
    return grey, alone & far, 2 * counts < (last - first)[:, None]


def _nearest(depths: Depths, places: Depths) -> tuple[Any, Mask]:
    """Return the nearest row to each place, and whether it is farther than rows usually are apart."""
    behind = np.clip(np.searchsorted(depths, places), 0, len(depths) - 1)
    before = np.maximum(behind - 1, 0)
    near = np.where(places - depths[before] < depths[behind] - places, before, behind)
    step = float(np.median(np.diff(depths))) if len(depths) > 1 else np.inf
    return near, np.abs(depths[near] - places) > 0.75 * step


def _sum_between(values: Grey, first: Any, last: Any) -> Any:
    sums = np.zeros((len(values) + 1, values.shape[1]), np.int64)
    np.cumsum(values, axis=0, dtype=np.int64, out=sums[1:])
    return sums[last] - sums[first]
