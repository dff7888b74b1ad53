"""Find, list, retry and delete pictures, and open their files."""

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, BinaryIO, NamedTuple
from uuid import UUID

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import undefer

from imgpipe.database import paging
from imgpipe.database.engine import asking, db, reading
from imgpipe.database.lookup import Lookup
from imgpipe.database.models import Image, Thumbnail, position_of, time_of
from imgpipe.database.paging import Page
from imgpipe.errors import ImageNotFound, OriginalDiscarded, ThumbnailNotReady
from imgpipe.extensions import parts
from imgpipe.pictures import backfill, labels, lifecycle, originals, pause, queue, search
from imgpipe.storage.protocol import MissingObject

POLL_S = 0.05
RETRY_AFTER_S = 1
log = logging.getLogger(__name__)
# Made once: SQLAlchemy takes longer to make a statement than to run it.
_IMAGE = (
    select(Image)
    .where(Image.id == bindparam("id"))
    .options(undefer(Image.exif))
    .execution_options(populate_existing=True)
)
_THUMBNAIL = Lookup(
    select(Thumbnail.key, Thumbnail.format, Thumbnail.size_bytes, Thumbnail.etag).where(
        Thumbnail.image_id == bindparam("image_id"), Thumbnail.name == bindparam("name")
    )
)


class Shown(NamedTuple):
    """What is shown of a picture; as an object of the session it would cost several times as much."""

    id: UUID
    original_name: str
    original_key: str | None
    sha256: str
    status: str
    error: str | None
    error_code: str | None
    worked_ms: int
    processed_at: datetime | None
    changed_at: datetime
    facts: Mapping[str, Any] | None
    color: str | None
    labels: Sequence[str]
    caption: str | None
    caption_status: str
    caption_error: Mapping[str, Any] | None
    caption_source: Mapping[str, Any] | None
    exif: Mapping[str, Any] | None = None  # lists leave it out

    @property
    def uploaded_at(self) -> datetime:
        """Return the id's own millisecond."""
        return time_of(self.id)


_SHOWN = Lookup(select(*(getattr(Image, name) for name in Shown._fields)).where(Image.id == bindparam("id")))


@cache
def _listed(*filters: str) -> "Select[*tuple[Any, ...]]":
    """Return the statement for the pictures that have in these columns the values that it is run with."""
    columns = (getattr(Image, name) for name in Shown._fields[:-1])
    return select(*columns).where(*(getattr(Image, name) == bindparam(name) for name in filters))


@lru_cache(100)
def _lookup(statement: "Select[*tuple[Any, ...]]") -> Lookup:
    return Lookup(statement)


def find(image_id: UUID) -> Image:
    """Return the picture. Raises: ``ImageNotFound``."""
    image = db.session.scalars(_IMAGE, {"id": image_id}).one_or_none()
    if image is None:
        raise ImageNotFound
    return image


def show(image_id: UUID) -> Shown:
    """Return what is shown of the picture. Raises: ``ImageNotFound``."""
    row = _SHOWN.find(id=image_id)
    if row is None:
        raise ImageNotFound
    return Shown(*row)


def await_end(image_id: UUID, wait_s: float) -> Shown:
    """Return the picture as soon as it is no longer processing, or after ``wait_s`` seconds, or at a stop."""
    deadline = time.monotonic() + wait_s
    image = show(image_id)
    while image.status == "processing" and time.monotonic() < deadline and not parts.jobs.stopping:
        time.sleep(POLL_S)
        image = show(image_id)
    return image


def page(
    limit: int,
    cursor: str | None = None,
    status: str | None = None,
    q: str | None = None,
    label: Sequence[str] = (),
    caption_status: str | None = None,
) -> Page[Shown]:
    """List pictures, newest first; with ``q`` those with all its words, the last one a prefix.

    ``label``: only pictures that have all of these. Raises: ``InvalidCursor``.
    """
    filters = {"status": status, "caption_status": caption_status}
    values = {name: value for name, value in filters.items() if value}
    statement = _listed(*values)
    if q is not None and q.strip():
        with reading() as session:
            matches, position = search.narrow(statement.where(labels.have(label)), q, session)
    elif label:
        with reading() as session:
            matches, position = labels.narrow(statement, label, session)
    else:
        return paging.fetch(statement, values, limit, cursor, Image.id, read=_look_up)
    return paging.fetch(matches, values, limit, cursor, position, position_of, _read)


def _look_up(statement: "Select[*tuple[Any, ...]]", values: Mapping[str, Any]) -> Sequence[Shown]:
    return [Shown(*row) for row in _lookup(statement).find_all(db.engine, values)]


def _read(statement: "Select[*tuple[Any, ...]]", values: Mapping[str, Any]) -> Sequence[Shown]:
    """Run a statement that was made for this one search: SQLAlchemy knows the like of it already."""
    with asking() as connection:
        return [Shown(*row) for row in connection.execute(statement, values)]


def find_bytes(sha256: str) -> Image | None:
    """Return the oldest picture of these bytes that did not fail, or None."""
    return db.session.scalars(lifecycle.alive_of(sha256)).one_or_none()


def retry(image_id: UUID) -> Image:
    """Queue again what failed. Raises: ``ImageNotFound``, ``Conflict``."""
    started = time.perf_counter()
    stage = lifecycle.retry(image_id)
    log.info("retried %s: %s, %d ms", image_id, stage, (time.perf_counter() - started) * 1000)
    if stage == queue.CAPTION:
        pause.end()
    parts.jobs.wake(stage)
    return find(image_id)


def delete(image_id: UUID) -> None:
    """Delete a picture in whatever state, then its files. Raises: ``ImageNotFound``."""
    started = time.perf_counter()
    for key in lifecycle.remove(image_id):
        discard(key)
    log.info("deleted %s, %d ms", image_id, (time.perf_counter() - started) * 1000)


def discard(key: str) -> None:
    """Delete a file that no row names any more; one that can't be deleted now is only litter."""
    try:
        parts.storage.delete(key)
    except OSError as error:
        log.warning("could not delete %s: %s", key, type(error).__name__)


class Derivative(NamedTuple):
    """A thumbnail or square as it is stored."""

    key: str
    format: str
    size_bytes: int
    etag: str


def find_thumbnail(image_id: UUID, name: str) -> Derivative:
    """Return what is stored of a derivative. Raises: ``ImageNotFound``, ``ThumbnailNotReady``."""
    row = _THUMBNAIL.find(image_id=image_id, name=name)
    if row is None:
        comes = find(image_id).status == "processing" or backfill.seen() is not None
        raise ThumbnailNotReady(retry_after_s=RETRY_AFTER_S if comes else None)
    return Derivative(*row)


def open_thumbnail(key: str) -> BinaryIO:
    """Open a derivative. Raises: ``ThumbnailNotReady``."""
    try:
        return parts.storage.open(key)
    except MissingObject as error:
        raise ThumbnailNotReady from error


def find_original(image_id: UUID) -> Image:
    """Return the picture, whose upload is kept. Raises: ``ImageNotFound``, ``OriginalDiscarded``."""
    image = find(image_id)
    if image.original_key is None:
        raise OriginalDiscarded
    return image


def open_original(image: Image) -> BinaryIO:
    """Open the upload, byte for byte, also out of its zip. Raises: ``OriginalDiscarded``."""
    try:
        return originals.open_original(parts.storage, image.original_key)
    except MissingObject as error:
        raise OriginalDiscarded from error
