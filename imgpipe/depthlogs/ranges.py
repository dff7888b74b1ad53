"""Read the rows of a depth range: page by page, or block by block however many there are.

All that one answer reads belongs to one state of the log, also while an import replaces it.
"""

import binascii
import hashlib
import math
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    Row,
    Select,
    bindparam,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from imgpipe.database.engine import db
from imgpipe.database.models import DepthLog, DepthRow
from imgpipe.database.paging import Page
from imgpipe.depthlogs import depthrows, logs
from imgpipe.errors import InvalidCursor, InvalidParameter, NoFrames
from imgpipe.scanlines import resize

BLOCK_BYTES = 1 << 20
HEAD_BLOCKS = 16  # what is read at once; only where there is more, the rows are counted first
_SHALLOWER, _DEEPER = b"s", b"d"
_CURSOR_LENGTH = 20  # 1 byte of direction, 8 of depth and 6 of checksum, in base64


@dataclass(frozen=True, slots=True)
class Extent:
    """How many rows lie in a range, and the first and the last depth among them."""

    rows: int
    depth_min: float
    depth_max: float


@dataclass(frozen=True, slots=True)
class _Block:
    rows: int
    first: float
    last: float
    pixels: bytes


@contextmanager
def opened(name: str, depth_min: float, depth_max: float, *, source: bool = False) -> Iterator["Interval"]:
    """Read a range, ends included, in a session of its own, for an answer may stream on after its request.

    With ``source`` the pixels are those that were uploaded. Raises: ``LogNotFound``.
    """
    with Session(db.engine) as session:
        if db.engine.dialect.name == "postgresql":  # SQLite's transactions are snapshots anyway
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        log = logs.find(name, session)
        yield Interval(session.connection(), log, depth_min, depth_max, source)


class Interval:
    """A range of depths of one log."""

    def __init__(
        self, connection: Connection, log: DepthLog, depth_min: float, depth_max: float, source: bool
    ) -> None:
        self.log = log
        self._connection = connection
        self._low, self._high = depth_min, depth_max
        self._source = source
        self._rest = self._read()

    @property
    def state(self) -> str:
        """Name the range and the present state of the log's rows."""
        return f"{self.log.id} {self.log.uploads} {self._low!r} {self._high!r} {self._source}"

    @cached_property
    def extent(self) -> Extent:
        """Count the rows. Raises: ``NoFrames``."""
        head, log = self._head, self.log
        if not head:
            raise self._empty()
        if len(head) < HEAD_BLOCKS:
            return Extent(sum(block.rows for block in head), head[0].first, head[-1].last)
        if self._low <= log.depth_min and log.depth_max <= self._high:
            return Extent(log.rows, log.depth_min, log.depth_max)
        within = depthrows.between(log.number, self._low, self._high)
        last = self._connection.execute(select(func.max(DepthRow.depth)).where(within)).scalar_one()
        return Extent(depthrows.count(self._connection, within), head[0].first, last)

    @cached_property
    def width(self) -> int:
        """Return the pixels in a row.

        Raises: ``InvalidParameter`` for pixels as uploaded where they were uploaded in several widths.
        """
        if not self._source:
            return resize.WIDTH
        widths = self.log.source_widths
        if len(widths) > 1:
            within = depthrows.between(self.log.number, self._low, self._high)
            widths = depthrows.find_source_widths(self._connection, within)
        if len(widths) > 1:
            raise InvalidParameter(
                f"pixels: the rows of this range were uploaded {' and '.join(map(str, widths))} pixels wide; "
                "ask for less, or without pixels=source",
                details={"parameter": "pixels", "source_widths": widths},
            )
        return widths[0] if widths else resize.WIDTH

    def blocks(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the grey pixels once, uint8 (n, width), ascending, about a MiB at a time.

        Raises: ``InvalidParameter`` as ``width`` does.
        """
        for block in chain(self._head, self._rest):
            yield np.frombuffer(block.pixels, np.uint8).reshape(block.rows, self.width)

    def page(self, limit: int, cursor: str | None = None) -> Page[Row[float, bytes]]:
        """Return at most ``limit`` rows as (depth, pixels), ascending, and the cursors beside them.

        Raises: ``NoFrames``, ``InvalidCursor``.
        """
        direction, depth = _decode(cursor) if cursor else (_DEEPER, None)
        forward = direction == _DEEPER
        rows = self._fetch(limit + 1, depth, forward)
        more, items = len(rows) > limit, rows[:limit] if forward else rows[:limit][::-1]
        if not items:
            raise self._empty()
        following, previous = (more, cursor is not None) if forward else (True, more)
        return Page(
            items,
            _encode(_DEEPER, items[-1][0]) if following else None,
            _encode(_SHALLOWER, items[0][0]) if previous else None,
        )

    def _fetch(self, limit: int, beyond: float | None, forward: bool) -> Sequence[Row[float, bytes]]:
        # One bound a side: of two, SQLite may seek to the farther one and walk.
        depth = DepthRow.depth
        low, high = depth >= self._low, depth <= self._high
        if beyond is not None and forward and beyond >= self._low:
            low = depth > beyond
        if beyond is not None and not forward and beyond <= self._high:
            high = depth < beyond
        order = depth if forward else depth.desc()
        rows = select(depth, DepthRow.pixels).where(DepthRow.log == self.log.number, low, high)
        return self._connection.execute(rows.order_by(order).limit(limit)).all()

    @cached_property
    def _head(self) -> list[_Block]:
        return list(islice(self._rest, HEAD_BLOCKS))

    def _read(self) -> Iterator[_Block]:
        limit = max(1, BLOCK_BYTES // self.width)
        statement = _block_statement(self._source, self._connection.dialect.name)
        values = {"log": self.log.number, "high": self._high, "limit": limit}
        rows, last = limit, math.nextafter(self._low, -math.inf)
        while rows == limit:
            rows, first, last, pixels = self._connection.execute(statement, values | {"beyond": last}).one()
            if rows:
                yield _Block(rows, first, last, pixels)

    def _empty(self) -> NoFrames:
        log = self.log
        bounds = {"rows": log.rows, "depth_min": log.depth_min, "depth_max": log.depth_max}
        return NoFrames(details={"log": log.name, **bounds})


@cache
def _block_statement(source: bool, dialect: str) -> Select[int, float, float, bytes]:
    """Let the database join a block's pixels: quicker than row by row, and it holds no more than that."""
    pixels = DepthRow.source if source else DepthRow.pixels
    block = (
        select(DepthRow.depth, pixels.label("pixels"))
        .where(DepthRow.log == bindparam("log"))
        .where(DepthRow.depth > bindparam("beyond"), DepthRow.depth <= bindparam("high"))
        .order_by(DepthRow.depth)
        .limit(bindparam("limit", type_=Integer))
        .subquery()
    )
    joined: ColumnElement[bytes] = cast(func.group_concat(block.c.pixels, ""), LargeBinary)
    if dialect == "postgresql":
        in_order = aggregate_order_by(literal(b"", LargeBinary), block.c.depth)
        joined = func.string_agg(block.c.pixels, in_order, type_=LargeBinary)
    return select(func.count(), func.min(block.c.depth), func.max(block.c.depth), joined)


def _encode(direction: bytes, depth: float) -> str:
    payload = direction + struct.pack(">d", depth)
    return urlsafe_b64encode(payload + _checksum(payload)).decode()


def _decode(cursor: str) -> tuple[bytes, float]:
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii")) if len(cursor) == _CURSOR_LENGTH else b""
    except (UnicodeEncodeError, binascii.Error) as error:
        raise InvalidCursor from error
    payload = raw[:9]
    if len(raw) != 15 or raw[9:] != _checksum(payload) or payload[:1] not in (_SHALLOWER, _DEEPER):
        raise InvalidCursor
    return payload[:1], struct.unpack(">d", payload[1:])[0]


def _checksum(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=6).digest()
