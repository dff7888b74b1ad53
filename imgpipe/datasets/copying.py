"""Take over another installation: its files out of a directory, then its rows out of any database.

Rows come last and all at once, so that an interrupted move can simply be made again.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, create_engine, delete, func, insert, make_url, select, text
from sqlalchemy.orm import Session

from imgpipe import installation
from imgpipe.database import schema
from imgpipe.database.depthmodels import DepthPixels
from imgpipe.database.engine import db, engine_options, listen, writing
from imgpipe.database.models import Base, Image, Installation, Tally, Thumbnail
from imgpipe.errors import Conflict
from imgpipe.extensions import parts
from imgpipe.pictures import search
from imgpipe.storage.protocol import Storage

BLOCK = 1_000
DEPTH_BLOCKS = 8  # up to half a MiB each
Advance = Callable[[int], object]


@contextmanager
def opening(url: str) -> Iterator[Connection]:
    """Open another installation's database; if it is SQLite, nobody else writes to it meanwhile.

    Raises: ``Conflict`` when there is none, its schema is not exactly ours, or something else is here.
    """
    place = make_url(url)
    if place.get_backend_name() == "sqlite" and not Path(place.database or "").is_file():
        raise Conflict("There is no SQLite database of this name.")
    engine = create_engine(place, **engine_options(replace(parts.settings, database_url=url)))
    listen(engine)
    try:
        with engine.connect().execution_options(writes=True) as source:
            _refuse_unlike(source)
            yield source
    finally:
        engine.dispose()


@dataclass(frozen=True, slots=True)
class Stock:
    """What an installation holds, by its database: rows of each table, and bytes of the files they name."""

    rows: Mapping[str, int]
    bytes: int

    @property
    def total(self) -> int:
        """Return the number of rows."""
        return sum(self.rows.values())


def take_stock(connection: Connection) -> Stock:
    """Count the rows that there are to copy, and sum up the files."""
    rows = {
        table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in _tables()
    }
    originals = select(func.sum(Image.size_bytes)).where(Image.original_key.is_not(None))
    sums = (connection.scalar(each) for each in (originals, select(func.sum(Thumbnail.size_bytes))))
    return Stock(rows, sum(int(each or 0) for each in sums))


def our_stock() -> Stock:
    """Take stock of this installation."""
    with db.engine.connect() as ours:
        return take_stock(ours)


def is_nowhere(key: str, origin: Storage | None) -> bool:
    """Tell whether a file is neither here nor in ``origin``."""
    return not (installation.bare_storage().exists(key) or (origin and origin.exists(key)))


def copy_rows(source: Connection, advance: Advance) -> None:
    """Copy every row in one transaction, all or nothing; ``advance`` hears how many more are done."""
    with writing(durable=True) as session:
        session.execute(delete(Tally))
        for table in _tables():
            for block in _blocks(source, table):
                session.execute(insert(table), block)
                if table is Image.__table__:
                    _enter_words(session, block)
                advance(len(block))
            _go_on_counting(session, table)


def keys(source: Connection) -> list[str]:
    """List the keys of all files that the rows there name."""
    originals = select(Image.original_key).where(Image.original_key.is_not(None))
    return [key for key in source.scalars(originals.union_all(select(Thumbnail.key))) if key]


def fetch(key: str, origin: Storage | None) -> bool:
    """See to it that our storage has a file, out of ``origin`` if need be; False when it is nowhere."""
    ours = installation.bare_storage()
    if ours.exists(key):
        return True
    if origin is None or not origin.exists(key):
        return False
    ours.put(key, origin.read(key))
    return True


def _tables() -> list[Table]:
    """List the tables to copy; this installation stays who it is."""
    return [table for table in Base.metadata.sorted_tables if table is not Installation.__table__]


def _refuse_unlike(source: Connection) -> None:
    with db.engine.connect() as ours:
        if schema.applied(source) != schema.applied(ours):
            raise Conflict("The schemas differ; run `db upgrade` on both installations first.")
        empty = all(_is_empty(ours, table) for table in _tables() if table is not Tally.__table__)
        if not empty and _contents(ours) != _contents(source):
            raise Conflict("This installation is not empty.")


def _contents(connection: Connection) -> tuple[Stock, Any]:
    """Return what tells a copy that is complete already from another installation."""
    ends = select(func.min(Image.position), func.max(Image.position), func.max(Image.sha256))
    return take_stock(connection), tuple(connection.execute(ends).one())


def _is_empty(ours: Connection, table: Table) -> bool:
    return ours.execute(select(table).limit(1)).first() is None


def _blocks(source: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    at_once = DEPTH_BLOCKS if table is DepthPixels.__table__ else BLOCK
    result = source.execute(select(table), execution_options={"yield_per": at_once})
    for rows in result.mappings().partitions():
        yield [dict(row) for row in rows]


def _enter_words(session: Session, images: list[dict[str, Any]]) -> None:
    words = [(image["position"], image["original_name"], image["caption"]) for image in images]
    search.enter_all(session, words)


def _go_on_counting(session: Session, table: Table) -> None:
    """Let PostgreSQL number new rows after those that came with their numbers; SQLite does so by itself."""
    column = table.autoincrement_column
    if column is not None and session.get_bind().dialect.name == "postgresql":
        sequence = f"pg_get_serial_sequence('{table.name}', '{column.name}')"
        session.execute(text(f"SELECT setval({sequence}, max({column.name})) FROM {table.name}"))
