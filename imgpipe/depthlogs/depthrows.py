"""Write and count the rows of depth logs, a million at a time.

What is done per row here is done by the driver alone: through the ORM an import would hold SQLite's write
lock ten times as long.
"""

from collections.abc import Callable, Iterator

import numpy as np
from sqlalchemy import ColumnElement, Connection, delete, func, select

from imgpipe.database.models import DepthRow
from imgpipe.depthlogs.staging import Row, Staged, median_step

_MERGE = "ON CONFLICT (log, depth) DO UPDATE SET pixels = excluded.pixels, source = excluded.source"


def put(connection: Connection, log: int, staged: Staged) -> int:
    """Write all rows, over those of the same depth; return how many of these there were.

    Whoever calls has locked the log.
    """
    within = between(log, staged.depth_min, staged.depth_max)
    before = count(connection, within)
    write: Callable[[Connection, int, Staged], None] = (
        _copy if connection.dialect.name == "postgresql" else _insert
    )
    write(connection, log, staged)
    after = count(connection, within) if before else staged.rows
    return before + staged.rows - after


def between(log: int, depth_min: float, depth_max: float) -> ColumnElement[bool]:
    """Select the rows of a log in a range of depths, ends included."""
    return (DepthRow.log == log) & DepthRow.depth.between(depth_min, depth_max)


def count(connection: Connection, within: ColumnElement[bool]) -> int:
    """Count rows."""
    return connection.execute(select(func.count()).select_from(DepthRow).where(within)).scalar_one()


def find_step(connection: Connection, log: int) -> float | None:
    """Return the median difference between the depths of a log."""
    depths = select(DepthRow.depth).where(DepthRow.log == log).order_by(DepthRow.depth)
    return median_step(np.fromiter(connection.execute(depths).scalars(), np.float64))


def find_source_widths(connection: Connection, within: ColumnElement[bool]) -> list[int]:
    """Return every width that rows were uploaded in, ascending."""
    width = func.length(DepthRow.source)
    return list(connection.execute(select(width).where(within).distinct().order_by(width)).scalars())


def remove(connection: Connection, log: int) -> None:
    """Delete all rows of a log."""
    connection.execute(delete(DepthRow).where(DepthRow.log == log))


def _insert(connection: Connection, log: int, staged: Staged) -> None:
    cursor = connection.connection.cursor()
    try:
        cursor.executemany(
            f"INSERT INTO depth_rows (log, depth, pixels, source) VALUES ({log:d}, ?, ?, ?) {_MERGE}",
            staged,  # type: ignore[arg-type]  # drivers take any iterable, and so never hold all rows
        )
    finally:
        cursor.close()


def _copy(connection: Connection, log: int, staged: Staged) -> None:
    """Use PostgreSQL's COPY, which knows no conflicts and so needs a table in between."""
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE arriving (depth float8, pixels bytea, source bytea) ON COMMIT DROP"
        )
        with cursor.copy("COPY arriving (depth, pixels, source) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(("float8", "bytea", "bytea"))
            _write_all(copy.write_row, iter(staged))
        cursor.execute(
            "INSERT INTO depth_rows (log, depth, pixels, source) "
            f"SELECT {log:d}, depth, pixels, source FROM arriving {_MERGE}"
        )


def _write_all(write: Callable[[Row], None], rows: Iterator[Row]) -> None:
    for row in rows:
        write(row)
