"""Read the rows of a depth range: page by page, or block by block however many there are.

All that one answer reads belongs to one version of the log, also while an import replaces it, and yet no
transaction is longer than the reading of a few blocks: how slow the client is makes no difference.
"""

import math
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from imgpipe.database.depthmodels import DepthLog
from imgpipe.database.engine import asking, db
from imgpipe.database.paging import Page
from imgpipe.depthlogs import blocks, cursors
from imgpipe.depthlogs.blocks import Found, Slice
from imgpipe.depthlogs.cursors import DEEPER, SHALLOWER, Cursor
from imgpipe.errors import InvalidParameter, NoFrames, Unavailable
from imgpipe.scanlines import resize
from imgpipe.scanlines.contrast import Counts
from imgpipe.scanlines.rows import Rows

HEAD = 4  # blocks that are read at once; only where there are more, they are listed first
READ_BYTES = 1 << 20
RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class Extent:
    """How many rows lie in a range, and the first and the last depth among them."""

    rows: int
    depth_min: float
    depth_max: float


class Interval:
    """A range of depths of one log, ends included, in the version that it has now.

    With ``source`` the pixels are those that were uploaded. Raises: ``LogNotFound``.
    """

    def __init__(
        self,
        log: DepthLog,
        depth_min: float = -math.inf,
        depth_max: float = math.inf,
        *,
        source: bool = False,
    ) -> None:
        self.log = log
        self._engine = db.engine  # an answer may stream on after its request
        self._bounds = depth_min, depth_max
        self._source = source

    def within(self, depth_min: float, depth_max: float) -> "Interval":
        """Return another range of the same version."""
        other = copy(self)
        for name in ("extent", "width", "_head", "_listed", "_ends"):
            other.__dict__.pop(name, None)
        other._bounds = depth_min, depth_max
        return other

    @property
    def state(self) -> str:
        """Name the range and the present state of the log's rows."""
        low, high = self._bounds
        return f"{self.log.id} {self.log.uploads} {low!r} {high!r} {self._source}"

    @cached_property
    def extent(self) -> Extent:
        """Count the rows. Raises: ``NoFrames``."""
        depths = [part.rows.depths for part in self._ends if len(part.rows.depths)]
        if not depths:
            raise NoFrames
        inner = sum(found.rows for found in self._listed[1:-1])
        return Extent(inner + sum(map(len, depths)), float(depths[0][0]), float(depths[-1][-1]))

    @cached_property
    def width(self) -> int:
        """Return the pixels in a row.

        Raises: ``InvalidParameter`` for pixels as uploaded where they were uploaded in several widths.
        """
        if not self._source:
            return resize.WIDTH
        widths = sorted(self.log.source_widths if len(self.log.source_widths) == 1 else self._find_widths())
        if len(widths) > 1:
            raise InvalidParameter(
                f"pixels: the rows of this range were uploaded {' and '.join(map(str, widths))} pixels wide; "
                "ask for less, or without pixels=source",
                details={"parameter": "pixels", "source_widths": widths},
            )
        return widths[0] if widths else resize.WIDTH

    def blocks(self) -> Iterator[Rows]:
        """Yield the rows once, ascending, about a MiB at a time.

        Raises: ``InvalidParameter`` as ``width`` does; ``Unavailable`` where the log was replaced so long ago
        that this version is gone.
        """
        yield from (part.rows for part in self._head if self.width and len(part.rows.depths))
        rest = self._listed[HEAD:]
        at_once = max(1, READ_BYTES // (rest[0].rows * (8 + self.width))) if rest else 1
        for start in range(0, len(rest), at_once):
            parts = self._load(rest[start : start + at_once])
            yield from (part.rows for part in parts if len(part.rows.depths))

    def page(self, limit: int, cursor: str | None = None) -> Page[Rows]:
        """Return at most ``limit`` rows in parts, ascending, and the cursors beside them.

        Raises: ``NoFrames``, ``InvalidCursor``.
        """
        place = cursors.decode(cursor) if cursor else None
        forward = place is None or place.direction == DEEPER
        parts, more = self._fetch(limit, place, forward)
        if not parts:
            raise NoFrames
        following, previous = (more, place is not None) if forward else (True, more)
        return Page(
            parts,
            Cursor(DEEPER, float(parts[-1].depths[-1])).encode() if following else None,
            Cursor(SHALLOWER, float(parts[0].depths[0])).encode() if previous else None,
        )

    def _fetch(self, limit: int, place: Cursor | None, forward: bool) -> tuple[list[Rows], bool]:
        """Return the first rows behind a place, or the last before it, and whether there are more."""
        low, high = self._bounds
        if place and forward:
            low = max(low, math.nextafter(place.depth, math.inf))
        elif place:
            high = min(high, math.nextafter(place.depth, -math.inf))
        parts: list[Rows] = []
        while limit >= 0 and low <= high:
            found = self._first((low, high), forward)
            for rows, first, last, _ in found:
                count = min(len(rows.depths), max(limit, 0))
                if count:
                    parts.append(rows.part(0, count) if forward else rows.part(-count, len(rows.depths)))
                limit -= len(rows.depths)
                if forward:
                    low = math.nextafter(last, math.inf)
                else:
                    high = math.nextafter(first, -math.inf)
            if len(found) < HEAD:
                break
        return parts if forward else parts[::-1], limit < 0

    def _first(self, bounds: tuple[float, float], forward: bool = True) -> list[Slice]:
        place = self.log.number, self.log.uploads, bounds
        return blocks.load(self._engine, *place, HEAD, source=self._source, forward=forward)

    @cached_property
    def _head(self) -> list[Slice]:
        return self._first(self._bounds)

    @cached_property
    def _listed(self) -> list[Found]:
        """List the blocks that reach into the range; none where the head is all of it."""
        if len(self._head) < HEAD:
            return []
        with asking(self._engine) as connection:
            return blocks.find(connection, self.log.number, self.log.uploads, *self._bounds)

    @cached_property
    def _ends(self) -> list[Slice]:
        """Return the blocks that may lie in the range in part only."""
        return [self._head[0], *self._load(self._listed[-1:])] if self._listed else self._head

    def _load(self, found: Sequence[Found]) -> list[Slice]:
        with asking(self._engine) as connection:
            ids = [block.id for block in found]
            parts = blocks.load_chosen(connection, ids, self._bounds, source=self._source)
        if len(parts) < len(found):
            raise Unavailable("The log was replaced meanwhile; ask again.", retry_after_s=RETRY_AFTER_S)
        return parts

    def _find_widths(self) -> set[int]:
        widths = {width for part in self._ends for width in part.widths}
        inner = self._listed[1:-1]
        mixed = [block.id for block in inner if block.mixed]
        with asking(self._engine) as connection:
            widths |= blocks.read_widths(connection, mixed)
        return widths | {block.width for block in inner if not block.mixed}

    def histogram(self) -> Counts:
        """Count each grey value of the whole log, int64 (256,)."""
        with asking(self._engine) as connection:
            return blocks.read_histogram(connection, self.log.number, self.log.uploads)

    def most_rows(self, height: float) -> int:
        """Return how many rows at most lie within a height anywhere in the range, to a block or two."""
        if not self._listed:
            return sum(len(part.rows.depths) for part in self._head)
        tops = np.array([found.depth_min for found in self._listed])
        bottoms = np.array([found.depth_max for found in self._listed])
        sums = np.concatenate([[0], np.cumsum([found.rows for found in self._listed])])
        return int((sums[np.searchsorted(tops, bottoms + height, "right")] - sums[:-1]).max())
