"""See a range of a log as it is asked for: in a unit of depth, and with a contrast."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from imgpipe.database.depthmodels import DepthLog
from imgpipe.database.paging import Page
from imgpipe.depthlogs import logs
from imgpipe.depthlogs.ranges import Extent, Interval
from imgpipe.errors import InvalidParameter, NoFrames
from imgpipe.scanlines import contrast, resize, units, windows
from imgpipe.scanlines.contrast import Contrast
from imgpipe.scanlines.rows import Grey, Rows

# What of a moving window is in memory at once.
WINDOW_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What to see: a range in ``unit`` (the log's own if None), and how to stretch it."""

    log: str = logs.DEFAULT
    depth_min: float = float("-inf")
    depth_max: float = float("inf")
    source: bool = False
    unit: str | None = None
    contrast: Contrast | None = None


class View:
    """A range of a log whose depths and bounds are in the unit asked, stretched.

    Raises: ``LogNotFound``; ``InvalidParameter`` for a unit where the log has none.
    """

    def __init__(self, asked: Asked) -> None:
        self.log: DepthLog = logs.find(asked.log)
        self.unit = asked.unit or self.log.depth_unit
        self._asked = asked
        self._stored_unit = self.log.depth_unit or self.unit
        if asked.unit and not self.log.depth_unit:
            raise InvalidParameter(
                f"unit: it is not known in which unit the depths of {self.log.name} are",
                details={"parameter": "unit"},
            )
        bounds = asked.depth_min, asked.depth_max
        if self.unit and self._stored_unit:
            bounds = units.find_bounds(*bounds, self.unit, self._stored_unit)
        self._interval = Interval(self.log, *bounds, source=asked.source)

    @property
    def state(self) -> str:
        """Name what is seen, and the present state of the log's rows."""
        return f"{self.log.id} {self.log.uploads} {self._asked!r}"

    @property
    def width(self) -> int:
        """Return the pixels in a row. Raises: ``InvalidParameter`` as ``Interval.width`` does."""
        return self._interval.width

    @cached_property
    def extent(self) -> Extent:
        """Count the rows. Raises: ``NoFrames`` with the bounds of the log."""
        found = self._found()
        ends = self._in_unit((found.depth_min, found.depth_max))
        return Extent(found.rows, *ends)

    def blocks(self) -> Iterator[Rows]:
        """Yield the rows once, ascending. Raises: as ``Interval.blocks`` does."""
        how = self._asked.contrast
        if how is None or how.window is None:
            parts: Iterable[Rows] = self._stretched(self._interval.blocks(), how)
        else:
            parts = self._moving(how, self._found())
        return self._converted(parts)

    @cached_property
    def greys(self) -> Grey | None:
        """Return what becomes of each grey, uint8 (256,); None where a window decides, row by row."""
        how = self._asked.contrast
        if how is None:
            return np.arange(contrast.GREYS, dtype=np.uint8)
        return contrast.table(self._interval.histogram(), how) if how.window is None else None

    def page(self, limit: int, cursor: str | None = None) -> Page[Rows]:
        """Return at most ``limit`` rows in parts, ascending, and the cursors beside them.

        Raises: ``NoFrames``, ``InvalidCursor``.
        """
        try:
            page = self._interval.page(limit, cursor)
        except NoFrames as error:
            raise self._empty() from error
        how, parts = self._asked.contrast, page.items
        if how is not None and how.window is not None:
            first, last = float(parts[0].depths[0]), float(parts[-1].depths[-1])
            parts = list(self._moving(how, Extent(sum(len(rows.depths) for rows in parts), first, last)))
        else:
            parts = list(self._stretched(parts, how))
        return replace(page, items=list(self._converted(parts)))

    def _found(self) -> Extent:
        try:
            return self._interval.extent
        except NoFrames as error:
            raise self._empty() from error

    def _stretched(self, parts: Iterable[Rows], how: Contrast | None) -> Iterable[Rows]:
        """Stretch by the histogram of the whole log."""
        if how is None:
            return parts
        greys = self.greys
        assert greys is not None
        return (rows._replace(grey=contrast.apply(rows.grey, rows.holes, greys)) for rows in parts)

    def _moving(self, how: Contrast, seen: Extent) -> Iterator[Rows]:
        """Stretch each row by the histogram of those around it, which reach beyond the range."""
        assert how.window is not None
        window = how.window
        if self.unit and self._stored_unit:
            window = units.convert_span(window, self.unit, self._stored_unit)
        wide = self._interval.within(*windows.reach(seen.depth_min, seen.depth_max, window))
        if wide.most_rows(float(window)) > WINDOW_ROWS:
            raise InvalidParameter(
                f"window: expected one of at most about {WINDOW_ROWS:,} rows; leave it out for the whole log",
                details={"parameter": "window", "limit": WINDOW_ROWS},
            )
        return windows.moving(wide.blocks(), how, window, seen.depth_min, seen.depth_max)

    def _converted(self, parts: Iterable[Rows]) -> Iterator[Rows]:
        stored, told = self._stored_unit, self.unit
        if stored is None or told is None or stored == told:
            return iter(parts)
        return (rows._replace(depths=units.convert(rows.depths, stored, told)) for rows in parts)

    def _in_unit(self, depths: tuple[float, float]) -> tuple[float, float]:
        """Return the depths in the unit asked."""
        (rows,) = self._converted([Rows(np.array(depths), np.empty((2, resize.WIDTH), np.uint8))])
        low, high = rows.depths.tolist()
        return low, high

    def _empty(self) -> NoFrames:
        low, high = self._in_unit((self.log.depth_min, self.log.depth_max))
        bounds = {"rows": self.log.rows, "depth_min": low, "depth_max": high}
        return NoFrames(details={"log": self.log.name, **bounds})
