"""Write blocks of rows, and find and read those that make up one version of a log."""

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Engine,
    Integer,
    Select,
    bindparam,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from imgpipe.database.depthmodels import DepthBlock, DepthPixels
from imgpipe.database.lookup import Lookup, Row
from imgpipe.depthlogs.lines import Bytes, Lines, unpack
from imgpipe.scanlines.rows import Depths, Rows

# So many ids in one statement: far below what either database takes.
AT_ONCE = 500


class Found(NamedTuple):
    """What there is to know of a block before its bytes are read."""

    id: int
    rows: int
    depth_min: float
    depth_max: float
    width: int
    mixed: bool
    holes: int


class Slice(NamedTuple):
    """The rows of a block that lie in a range, the bounds of all its rows, and how wide those are.

    They are so in one width, unless they are mixed and as they were uploaded.
    """

    rows: Rows
    first: float
    last: float
    widths: set[int]


_FOUND = (
    DepthBlock.id,
    DepthBlock.rows,
    DepthBlock.depth_min,
    DepthBlock.depth_max,
    DepthBlock.width,
    DepthBlock.mixed,
    DepthBlock.holes,
)


def add(connection: Connection, log: int, version: int, blocks: Sequence[Lines]) -> None:
    """Write blocks that are born with a version."""
    about = [_describe(log, version, lines) for lines in blocks]
    born = insert(DepthBlock).returning(DepthBlock.id, sort_by_parameter_order=True)
    ids = connection.execute(born, about).scalars().all()
    connection.execute(insert(DepthPixels), [_pack(id, lines) for id, lines in zip(ids, blocks, strict=True)])


def bury(connection: Connection, ids: Iterable[int], version: int) -> None:
    """Let blocks end with the version before."""
    for some in _batched(list(ids)):
        connection.execute(update(DepthBlock).where(DepthBlock.id.in_(some)).values(died=version))


def alive(log: ColumnElement[int] | int, version: ColumnElement[int] | int) -> ColumnElement[bool]:
    """Select the blocks that make up a version of a log."""
    living = or_(DepthBlock.died.is_(None), DepthBlock.died > version)
    return (DepthBlock.log == log) & (DepthBlock.born <= version) & living


def find(
    connection: Connection, log: int, version: int, low: float = -math.inf, high: float = math.inf
) -> list[Found]:
    """List the blocks of a version that reach into a range of depths, ends included, ascending."""
    values = {"log": log, "version": version, "low": low, "high": high}
    return [Found(*row) for row in connection.execute(_touching(*_FOUND), values)]


def beside(connection: Connection, log: int, version: int, low: float, high: float) -> list[Found]:
    """List the blocks of ``find`` and, where there is one, the nearest before them and behind them."""
    living, depth = alive(log, version), DepthBlock.depth_max
    before = select(func.max(depth)).where(living, depth < low).scalar_subquery()
    behind = select(func.min(depth)).where(living, depth > high).scalar_subquery()
    bounds = func.coalesce(before, literal(-math.inf)), func.coalesce(behind, literal(math.inf))
    statement = select(*_FOUND).where(living, depth.between(*bounds)).order_by(depth)
    return [Found(*row) for row in connection.execute(statement)]


def load(
    engine: Engine,
    log: int,
    version: int,
    bounds: tuple[float, float],
    limit: int,
    *,
    source: bool,
    forward: bool = True,
) -> list[Slice]:
    """Read the first blocks that reach into a range, or the last of them, cut to it; some may be empty."""
    low, high = bounds
    values = {"log": log, "version": version, "low": low, "high": high, "limit": limit}
    rows = _first(source, forward).find_all(engine, values)
    return [_cut(row, bounds, source) for row in rows]


def load_chosen(
    connection: Connection, ids: Sequence[int], bounds: tuple[float, float], *, source: bool
) -> list[Slice]:
    """Read the blocks that there still are of some, ascending, cut to a range."""
    statement = select(*_columns(source)).join_from(DepthBlock, DepthPixels)
    chosen = statement.where(DepthBlock.id.in_(ids)).order_by(DepthBlock.depth_max)
    return [_cut(row, bounds, source) for row in connection.execute(chosen)]


def load_whole(connection: Connection, id: int) -> Lines:
    """Read everything that a block holds."""
    row = connection.execute(select(DepthPixels).where(DepthPixels.block == id)).one()
    count = len(row.depths) // 8
    source = _plane(row.source, count)
    full = np.full(count, source.shape[1], np.uint16)
    return Lines(
        depths=np.frombuffer(row.depths, "<f8").astype(np.float64, copy=False),
        widths=full if row.widths is None else np.frombuffer(row.widths, "<u2"),
        pixels=_plane(row.pixels, count),
        source=source,
        holes=None if row.holes is None else _plane(row.holes, count),
        source_holes=None if row.source_holes is None else _plane(row.source_holes, count),
    )


def read_depths(connection: Connection, ids: Sequence[int]) -> list[Depths]:
    """Return the depths of blocks, ascending."""
    statement = select(DepthPixels.depths).join_from(DepthBlock, DepthPixels)
    rows = connection.execute(statement.where(DepthBlock.id.in_(ids)).order_by(DepthBlock.depth_max))
    return [np.frombuffer(depths, "<f8") for depths in rows.scalars()]


def read_widths(
    connection: Connection, ids: Sequence[int], low: float = -math.inf, high: float = math.inf
) -> set[int]:
    """Return in which widths the rows of a range were uploaded, of blocks where these are mixed."""
    columns = select(DepthPixels.depths, DepthPixels.widths)
    widths: set[int] = set()
    for some in _batched(ids):
        for depths, own in connection.execute(columns.where(DepthPixels.block.in_(some))):
            start, end = _places(np.frombuffer(depths, "<f8"), low, high)
            widths |= set(np.frombuffer(own or b"", "<u2")[start:end].tolist())
    return widths


def read_histogram(connection: Connection, log: int, version: int) -> NDArray[np.int64]:
    """Count each grey value of a version of a log, int64 (256,)."""
    statement = select(DepthPixels.histogram).join_from(DepthBlock, DepthPixels).where(alive(log, version))
    counts = np.zeros(256, np.int64)
    for histogram in connection.execute(statement).scalars():
        counts += np.frombuffer(histogram, "<u4")
    return counts


@cache
def _touching(*columns: Any) -> "Select[Any]":
    """Select the blocks that reach into a range.

    Without an upper bound of what is ordered by, SQLite would walk on to the log's end.
    """
    log, version = bindparam("log", type_=Integer), bindparam("version", type_=Integer)
    low, high = bindparam("low", type_=Double), bindparam("high", type_=Double)
    living, depth = alive(log, version), DepthBlock.depth_max
    last = select(func.min(depth)).where(living, depth >= high).scalar_subquery()
    inside = depth.between(low, func.coalesce(last, literal(math.inf))) & (DepthBlock.depth_min <= high)
    return select(*columns).where(living, inside).order_by(depth)


@cache
def _first(source: bool, forward: bool) -> Lookup:
    """Select the bytes of the first or the last blocks that reach into a range."""
    every = _touching(*_columns(source)).join_from(DepthBlock, DepthPixels)
    order = DepthBlock.depth_max if forward else DepthBlock.depth_max.desc()
    return Lookup(every.order_by(None).order_by(order).limit(bindparam("limit", type_=Integer)))


def _columns(source: bool) -> tuple[Any, ...]:
    planes = (
        (DepthPixels.source, DepthPixels.source_holes) if source else (DepthPixels.pixels, DepthPixels.holes)
    )
    return DepthPixels.depths, *planes, DepthPixels.widths


def _cut(row: Row, bounds: tuple[float, float], source: bool) -> Slice:
    depths, (_, plane, bits, own) = np.frombuffer(row[0], "<f8"), row
    start, end = _places(depths, *bounds)
    grey = _plane(plane, len(depths))[start:end]
    mixed = source and own is not None
    widths = set(np.frombuffer(own, "<u2")[start:end].tolist()) if mixed else {grey.shape[1]}
    width = max(widths, default=0)
    holes = None if bits is None else unpack(_plane(bits, len(depths))[start:end], width).view(np.bool_)
    rows = Rows(depths[start:end], grey[:, :width], holes)
    return Slice(rows, float(depths[0]), float(depths[-1]), widths)


def _places(depths: Depths, low: float, high: float) -> tuple[int, int]:
    return int(np.searchsorted(depths, low)), int(np.searchsorted(depths, high, "right"))


def _plane(data: bytes, rows: int) -> Bytes:
    return np.frombuffer(data, np.uint8).reshape(rows, -1)


def _describe(log: int, version: int, lines: Lines) -> dict[str, Any]:
    return {
        "log": log,
        "born": version,
        "rows": len(lines),
        "depth_min": float(lines.depths[0]),
        "depth_max": float(lines.depths[-1]),
        "width": lines.width,
        "mixed": lines.mixed,
        "holes": lines.hole_count(),
    }


def _pack(id: int, lines: Lines) -> dict[str, Any]:
    return {
        "block": id,
        "depths": lines.depths.astype("<f8", copy=False).tobytes(),
        "widths": lines.widths.astype("<u2", copy=False).tobytes() if lines.mixed else None,
        "histogram": lines.histogram().astype("<u4", copy=False).tobytes(),
        "holes": None if lines.holes is None else lines.holes.tobytes(),
        "pixels": lines.pixels.ravel().data,
        "source_holes": None if lines.source_holes is None else lines.source_holes.tobytes(),
        "source": lines.source.ravel().data,
    }


def _batched(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), AT_ONCE):
        yield ids[start : start + AT_ONCE]
