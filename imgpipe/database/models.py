"""Lay down the tables: images with their work, and what hangs on them.

Those of depth logs are in ``depthmodels``.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry
from uuid6 import uuid7

Json = JSON(none_as_null=True)  # not JSONB: it would reorder what cameras wrote


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


def new_id() -> UUID:
    """Return an id that stands behind every one made before in this process (RFC 9562, version 7)."""
    return UUID(int=uuid7().int)


def time_of(id: UUID) -> datetime:
    """Return the millisecond in which an id was made (RFC 9562, version 7: the first 48 bits)."""
    return datetime.fromtimestamp((id.int >> 80) / 1000, UTC)


def position_of(id: UUID) -> int:
    """Return the 63-bit number that stands in the same order as the id, for indexes that know integers only.

    It is the millisecond and the first 15 random bits behind it.
    """
    return (id.int >> 80) << 15 | (id.int >> 64 & 0xFFF) << 3 | (id.int >> 59 & 0b111)


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
    position: Mapped[int] = mapped_column(BigInteger, unique=True)
    original_name: Mapped[str] = mapped_column(String(255))
    original_key: Mapped[str | None] = mapped_column(String(255))
    format: Mapped[str] = mapped_column(String(10))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)

    status: Mapped[str] = mapped_column(String(10))
    error: Mapped[str | None] = mapped_column(Text)
    error_code: Mapped[str | None] = mapped_column(String(40))
    facts: Mapped[dict[str, Any] | None]
    exif: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)

    caption: Mapped[str | None] = mapped_column(Text)
    caption_status: Mapped[str] = mapped_column(String(10))
    caption_error: Mapped[dict[str, Any] | None]
    caption_source: Mapped[dict[str, Any] | None]
    caption_raw: Mapped[Any | None] = mapped_column(Json, deferred=True)
    caption_key: Mapped[str | None] = mapped_column(String(64))
    caption_calls: Mapped[int] = mapped_column(default=0)
    caption_began_at: Mapped[datetime | None]
    # Its holder is asking the captioner now; counts only while ``running``.
    calling: Mapped[bool] = mapped_column(default=False)
    # What was asked for beside a plain caption: prompt, model, overwrite_human, run; "skip": none at all.
    caption_asked: Mapped[dict[str, Any] | None]

    labels: Mapped[list[str]] = mapped_column(Json, default=list)
    # Null: nobody has looked yet; empty: nothing in the picture is opaque.
    color: Mapped[str | None] = mapped_column(String(7))
    perceptual_hash: Mapped[int | None] = mapped_column(BigInteger)

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
        """Return the id's own millisecond."""
        return time_of(self.id)


# What is partial here is so on PostgreSQL, too, by the migrations: to say it would have every start load its
# dialect. This is the queue: only rows with work are in it, so it stays small beside a million finished ones.
Index(
    "ix_images_work",
    Image.stage,
    Image.due_at,
    Image.id,
    sqlite_where=Image.stage.is_not(None),
)
Index("ix_images_status_id", Image.status, Image.id)
Index("ix_images_caption_status_id", Image.caption_status, Image.id)
# Where a caption of the same bytes by the same captioner can be taken over from.
Index(
    "ix_images_captioned",
    Image.sha256,
    Image.caption_key,
    sqlite_where=Image.caption.is_not(None),
)


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


class Comment(Base):
    """What somebody said about an image."""

    __tablename__ = "comments"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    image_id: Mapped[UUID] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"))
    text: Mapped[str] = mapped_column(Text)
    edited_at: Mapped[datetime]

    @property
    def created_at(self) -> datetime:
        """Return the id's own millisecond."""
        return time_of(self.id)


Index("ix_comments_image_id_id", Comment.image_id, Comment.id)


class Pause(Base):
    """Captioning is paused for one configuration of the captioner: every further call would fail too."""

    __tablename__ = "pauses"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    ends_at: Mapped[datetime]
    code: Mapped[str] = mapped_column(String(40))
    message: Mapped[str] = mapped_column(Text)


class Installation(Base):
    """Who this is: one row, whose id the storage carries as its mark."""

    __tablename__ = "installation"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)


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
    stored_bytes: Mapped[int] = mapped_column(BigInteger, default=0)


class Replay(Base):
    """The first answer to a request under an idempotency key, which ``key`` is a hash of."""

    __tablename__ = "replays"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    body: Mapped[str] = mapped_column(Text)
    location: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(index=True)


class Delivery(Base):
    """One event on its way to one target: the outbox, written in the transaction of what happened.

    ``number`` is the order in which things happened to a ``subject``, a picture's id or a log's name; ``id``
    is what the receiver knows the event by, at every try the same. ``due_at`` is as for pictures; a row
    without one was given up.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("ix_deliveries_target_due_at", "target", "due_at"),
        Index("ix_deliveries_target_subject", "target", "subject", "number"),
    )

    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True)
    target: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(120))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    attempt: Mapped[int]
    tries: Mapped[int]
    running: Mapped[bool]
    error: Mapped[str | None] = mapped_column(Text)


class ApiKey(Base):
    """A key that was given out: what it is good for, and the digest by which it is known again."""

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    scope: Mapped[str] = mapped_column(String(10))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    @property
    def created_at(self) -> datetime:
        """Return the id's own millisecond."""
        return time_of(self.id)


# A name is free again once its key is revoked, so that a key can be renewed under it.
Index(
    "ix_api_keys_name",
    ApiKey.name,
    unique=True,
    sqlite_where=ApiKey.revoked_at.is_(None),
)
