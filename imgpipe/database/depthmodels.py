"""Lay down the tables of depth logs: a log, its versions, and the blocks of rows that these are made of."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Double, ForeignKey, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from imgpipe.database.models import Base, Json, time_of

Id = BigInteger().with_variant(Integer, "sqlite")  # which numbers rows by itself in this type only


class DepthLog(Base):
    """One depth log, and what is true of all its rows together.

    ``number`` is what its blocks carry; it is never given out again. ``uploads`` is the version that readers
    see, 0 before the first; together with ``id`` it names one state of the log. Whoever makes the next
    version is ``writer`` until ``writer_due_at``, and fences off everybody else.
    """

    __tablename__ = "depth_logs"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    uploads: Mapped[int]
    rows: Mapped[int] = mapped_column(BigInteger)
    depth_min: Mapped[float] = mapped_column(Double)
    depth_max: Mapped[float] = mapped_column(Double)
    depth_step: Mapped[float | None] = mapped_column(Double)
    source_widths: Mapped[list[int]] = mapped_column(Json)
    holes: Mapped[int] = mapped_column(BigInteger, default=0)
    value_min: Mapped[float | None] = mapped_column(Double)
    value_max: Mapped[float | None] = mapped_column(Double)
    value_unit: Mapped[str | None] = mapped_column(String(40))
    nulls: Mapped[list[float] | None] = mapped_column(Json)
    depth_unit: Mapped[str | None] = mapped_column(String(10))
    changed_at: Mapped[datetime]
    writer: Mapped[UUID | None]
    writer_due_at: Mapped[datetime | None]

    @property
    def created_at(self) -> datetime:
        """Return the id's own millisecond."""
        return time_of(self.id)


class DepthVersion(Base):
    """When a version of a log put blocks to death, or the log was deleted, so that these can go in time."""

    __tablename__ = "depth_versions"

    log: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    began_at: Mapped[datetime]


class DepthBlock(Base):
    """Some neighbouring rows of a log, about a thousand: never changed, only born and put to death.

    The block belongs to the versions from ``born`` to before ``died``; within one version the blocks'
    depths do not overlap. ``width`` is the widest row as uploaded, ``mixed`` tells that others are not so
    wide, ``holes`` counts those of the pixels as uploaded. No foreign key: blocks outlive a log for a while.
    """

    __tablename__ = "depth_blocks"
    __table_args__ = ({"sqlite_autoincrement": True},)  # a reader must never find another block by an old id

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    log: Mapped[int]
    born: Mapped[int]
    died: Mapped[int | None]
    rows: Mapped[int]
    depth_min: Mapped[float] = mapped_column(Double)
    depth_max: Mapped[float] = mapped_column(Double)
    width: Mapped[int]
    mixed: Mapped[bool]
    holes: Mapped[int]


Index("ix_depth_blocks_log_depth_max", DepthBlock.log, DepthBlock.depth_max)


class DepthPixels(Base):
    """The bytes of a block, row after row.

    ``depths`` are 64-bit floats and ``widths`` 16-bit whole numbers (null where all rows are as wide as the
    block), little-endian; ``pixels`` have the common width and ``source`` the block's, a byte each; ``holes``
    and ``source_holes`` are bits, each row filled up to whole bytes (null where there are none);
    ``histogram`` counts the resized pixels that are no holes, 256 numbers of 32 bits.
    """

    __tablename__ = "depth_pixels"

    block: Mapped[int] = mapped_column(
        Id,
        ForeignKey("depth_blocks.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    # What is read without the pixels comes first: SQLite walks through a row to get at what is behind.
    depths: Mapped[bytes] = mapped_column(LargeBinary)
    widths: Mapped[bytes | None] = mapped_column(LargeBinary)
    histogram: Mapped[bytes] = mapped_column(LargeBinary)
    holes: Mapped[bytes | None] = mapped_column(LargeBinary)
    pixels: Mapped[bytes] = mapped_column(LargeBinary)
    source_holes: Mapped[bytes | None] = mapped_column(LargeBinary)
    source: Mapped[bytes] = mapped_column(LargeBinary)
