"""Depth rows move into blocks of about a thousand; logs get versions, writers, scale and units."""

import logging
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import sqlalchemy as sa
from alembic import op

from imgpipe.migrations.types import Json, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WIDTH = 150
ROWS = 1_000
BYTES = 512 << 10
TOLD = 1_000_000  # rows from one line in the log to the next
log = logging.getLogger("imgpipe.migrations")

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _added() -> Sequence[sa.Column]:
    return (
        sa.Column("holes", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("value_min", sa.Double()),
        sa.Column("value_max", sa.Double()),
        sa.Column("value_unit", sa.String(40)),
        sa.Column("nulls", Json),
        sa.Column("depth_unit", sa.String(10)),
        sa.Column("writer", sa.Uuid()),
        sa.Column("writer_due_at", UtcDateTime()),
    )


logs = sa.table("depth_logs", sa.column("number"), sa.column("uploads"))
rows = sa.table(
    "depth_rows", *map(sa.column, ("log", "depth", "pixels", "source"))
)  # their types are what the drivers give
blocks = sa.table(
    "depth_blocks",
    *map(sa.column, ("id", "log", "born", "died", "rows", "depth_min", "depth_max", "width", "mixed")),
    sa.column("holes"),
)
pixels = sa.table(
    "depth_pixels",
    *map(sa.column, ("block", "depths", "widths", "histogram", "pixels", "source")),
)


def upgrade() -> None:
    with op.batch_alter_table(
        "depth_logs", recreate="auto", table_kwargs={"sqlite_autoincrement": True}
    ) as table:
        for column in _added():
            table.add_column(column)
        if op.get_bind().dialect.name == "sqlite":  # which has to make the table anew to never reuse a number
            table.alter_column("number", existing_type=sa.Integer(), nullable=False)
    op.create_table(
        "depth_versions",
        sa.Column("log", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "depth_blocks",
        sa.Column("id", Id, primary_key=True),
        sa.Column("log", sa.Integer(), nullable=False),
        sa.Column("born", sa.Integer(), nullable=False),
        sa.Column("died", sa.Integer()),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("depth_min", sa.Double(), nullable=False),
        sa.Column("depth_max", sa.Double(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("mixed", sa.Boolean(), nullable=False),
        sa.Column("holes", sa.Integer(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_depth_blocks_log_depth_max", "depth_blocks", ["log", "depth_max"])
    block = sa.Column(
        "block",
        Id,
        sa.ForeignKey("depth_blocks.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    op.create_table(
        "depth_pixels",
        block,
        sa.Column("depths", sa.LargeBinary(), nullable=False),
        sa.Column("widths", sa.LargeBinary()),
        sa.Column("histogram", sa.LargeBinary(), nullable=False),
        sa.Column("holes", sa.LargeBinary()),
        sa.Column("pixels", sa.LargeBinary(), nullable=False),
        sa.Column("source_holes", sa.LargeBinary()),
        sa.Column("source", sa.LargeBinary(), nullable=False),
    )
    _move_into_blocks()
    op.drop_table("depth_rows")


def downgrade() -> None:
    op.create_table(
        "depth_rows",
        sa.Column("log", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("depth", sa.Double(), primary_key=True),
        sa.Column("pixels", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
    )
    _move_into_rows()
    op.drop_table("depth_pixels")
    op.drop_table("depth_blocks")
    op.drop_table("depth_versions")
    op.get_bind().execute(sa.delete(logs).where(logs.c.uploads == 0))
    with op.batch_alter_table("depth_logs") as table:
        for column in _added():
            table.drop_column(column.name)


def _move_into_blocks() -> None:
    connection = op.get_bind()
    moved = 0
    for number, uploads in connection.execute(sa.select(logs)).all():
        last = -np.inf
        while block := _read_rows(connection, number, float(last)):
            last = block[-1][0]
            _insert(connection, number, uploads, block)
            if moved // TOLD != (moved := moved + len(block)) // TOLD:
                log.info("%d depth rows moved", moved)
    if moved:
        log.info("all %d depth rows moved", moved)


def _read_rows(connection: sa.Connection, number: int, beyond: float) -> Sequence[sa.Row]:
    """Read as many rows as a block takes: fewer where they are wide."""
    here = (rows.c.log == number) & (rows.c.depth > beyond)
    columns = (rows.c.depth, rows.c.pixels, rows.c.source)
    first = connection.execute(
        sa.select(sa.func.length(rows.c.source)).where(here).order_by(rows.c.depth).limit(1)
    ).scalar()
    if first is None:
        return []
    limit = max(1, min(ROWS, BYTES // (8 + WIDTH + first)))
    return connection.execute(sa.select(*columns).where(here).order_by(rows.c.depth).limit(limit)).all()


def _insert(connection: sa.Connection, number: int, version: int, block: Sequence[sa.Row]) -> None:
    depths, resized, sources = zip(*block, strict=True)
    widths = np.array([len(source) for source in sources], "<u2")
    width, mixed = int(widths.max()), bool((widths != widths[0]).any())
    joined = b"".join(resized)
    about = {
        "log": number,
        "born": version,
        "rows": len(block),
        "depth_min": depths[0],
        "depth_max": depths[-1],
        "width": width,
        "mixed": mixed,
        "holes": 0,
    }
    (id,) = connection.execute(sa.insert(blocks).values(about).returning(blocks.c.id)).one()
    histogram = np.bincount(np.frombuffer(joined, np.uint8), minlength=256).astype("<u4")
    values = {
        "block": id,
        "depths": np.array(depths, "<f8").tobytes(),
        "widths": widths.tobytes() if mixed else None,
        "histogram": histogram.tobytes(),
        "pixels": joined,
        "source": b"".join(source.ljust(width, b"\0") for source in sources),
    }
    connection.execute(sa.insert(pixels), values)


def _move_into_rows() -> None:
    connection = op.get_bind()
    alive = (blocks.c.born <= logs.c.uploads) & (blocks.c.died.is_(None) | (blocks.c.died > logs.c.uploads))
    joined = sa.join(blocks, logs, blocks.c.log == logs.c.number)
    ids = sa.select(blocks.c.id, blocks.c.log).select_from(joined).where(alive).order_by(blocks.c.id)
    for _, group in groupby(connection.execute(ids).all(), key=lambda row: row.log):
        for id, number in group:
            connection.execute(sa.insert(rows), list(_split(connection, id, number)))


def _split(connection: sa.Connection, id: int, number: int) -> Iterator[dict[str, object]]:
    block = connection.execute(sa.select(pixels).where(pixels.c.block == id)).one()
    depths = np.frombuffer(block.depths, "<f8").tolist()
    width = len(block.source) // len(depths)
    widths = np.frombuffer(block.widths, "<u2").tolist() if block.widths else [width] * len(depths)
    for n, depth in enumerate(depths):
        yield {
            "log": number,
            "depth": depth,
            "pixels": block.pixels[n * WIDTH : (n + 1) * WIDTH],
            "source": block.source[n * width : n * width + widths[n]],
        }
