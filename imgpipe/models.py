"""Lay down the tables: images with their work, their thumbnails, and the tallies behind the statistics."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, ForeignKey, Index, String, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """Keep an aware UTC time, to the microsecond; SQLite stores it without zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time and turn any other into UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back that SQLite dropped."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


def utc_now() -> datetime:
    """Return the present, aware, in UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Gather the tables of this service."""

    registry = registry(type_annotation_map={datetime: UtcDateTime, dict[str, Any]: Json})


class Image(Base):
    """One upload: what is known of it, and the work that is still to be done on it.

    ``stage`` names that work and is null when there is none. ``due_at`` is lease, retry time and
    visibility in one: who claims the work pushes it ahead, a dead holder's row falls due by itself.
    ``attempt`` only grows and fences off a holder whose claim has passed to another.
    """

    __tablename__ = "images"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    original_name: Mapped[str] = mapped_column(String(255))
    original_key: Mapped[str | None] = mapped_column(String(255))
    format: Mapped[str] = mapped_column(String(3))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)

    status: Mapped[str] = mapped_column(String(10))
    error: Mapped[str | None] = mapped_column(Text)
    error_code: Mapped[str | None] = mapped_column(String(40))
    facts: Mapped[dict[str, Any] | None]
    exif: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    worked_ms: Mapped[int] = mapped_column(default=0)
    processed_at: Mapped[datetime | None]
    changed_at: Mapped[datetime]

    stage: Mapped[str | None] = mapped_column(String(10))
    due_at: Mapped[datetime | None]
    attempt: Mapped[int] = mapped_column(default=0)
    running: Mapped[bool] = mapped_column(default=False)
    crashes: Mapped[int] = mapped_column(default=0)

    @property
    def uploaded_at(self) -> datetime:
        """Return the id's own millisecond (RFC 9562, UUID version 7: the first 48 bits)."""
        return datetime.fromtimestamp((self.id.int >> 80) / 1000, UTC)


# The queue: only rows with work are in it, so it stays small beside a million finished ones.
Index(
    "ix_images_work",
    Image.stage,
    Image.due_at,
    sqlite_where=Image.stage.is_not(None),
    postgresql_where=Image.stage.is_not(None),
)
Index("ix_images_status_id", Image.status, Image.id)


class Thumbnail(Base):
    """One derivative of an image: ``small``, ``medium`` or ``square``, and where its bytes are."""

    __tablename__ = "thumbnails"

    image_id: Mapped[UUID] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(10), primary_key=True)
    key: Mapped[str] = mapped_column(String(255))
    format: Mapped[str] = mapped_column(String(3))
    width: Mapped[int]
    height: Mapped[int]
    size_bytes: Mapped[int]
    etag: Mapped[str] = mapped_column(String(64))


class Tally(Base):
    """A share of the running totals, changed in the same transaction as the rows that it counts.

    The totals are the sums over all shards; several shards keep PostgreSQL's writers out of each
    other's way. A single shard may well be negative.
    """

    __tablename__ = "tallies"

    shard: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    total: Mapped[int] = mapped_column(BigInteger, default=0)
    success: Mapped[int] = mapped_column(BigInteger, default=0)
    failed: Mapped[int] = mapped_column(BigInteger, default=0)
    worked_ms: Mapped[int] = mapped_column(BigInteger, default=0)
