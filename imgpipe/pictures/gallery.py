"""Accept, find, list, retry and delete pictures, and open their files."""

import contextlib
import hashlib
import io
import logging
import time
import zipfile
from typing import BinaryIO
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from imgpipe.database import paging
from imgpipe.database.engine import db
from imgpipe.database.models import Image, Thumbnail, new_id, position_of
from imgpipe.database.paging import Page
from imgpipe.errors import ImageNotFound, NoFile, OriginalDiscarded, ThumbnailNotReady, TooLarge, Unavailable
from imgpipe.extensions import parts
from imgpipe.imaging.probe import probe
from imgpipe.pictures import caption, lifecycle, search
from imgpipe.storage.protocol import MissingObject
from imgpipe.text import display_name

POLL_S = 0.05
RETRY_AFTER_S = 1
TRIES = 3
log = logging.getLogger(__name__)


def accept(data: bytes, name: str | None) -> Image:
    """Take in a picture: when this returns, its bytes and its row are durable and its work is queued.

    Raises: ``NoFile``, ``TooLarge``, and what ``probe`` raises; then nothing has been stored.
    """
    settings = parts.settings
    if not data:
        raise NoFile
    if len(data) > settings.max_upload_bytes:
        raise TooLarge(details={"max_bytes": settings.max_upload_bytes})
    header = probe(data, settings.max_pixels)
    digest = hashlib.sha256(data).hexdigest()
    for _ in range(TRIES):
        image_id = new_id()
        image = Image(
            id=image_id,
            original_name=display_name(name, f"image.{header.format}"),
            original_key=f"originals/{image_id.hex[-2:]}/{image_id}.{header.format}",
            format=header.format,
            sha256=digest,
            size_bytes=len(data),
            caption_status="pending" if parts.captioner else "skipped",
        )
        if _store(image, data):
            parts.jobs.wake(lifecycle.RENDER, image_id)
            return image
    raise Unavailable(retry_after_s=RETRY_AFTER_S)


def _store(image: Image, data: bytes) -> bool:
    """Write file, then row; False when another process took the very position in the order (1 in 32,768
    where two uploads meet in one millisecond)."""
    key = image.original_key
    assert key is not None
    parts.storage.put(key, data)
    try:
        lifecycle.enter(image)
    except IntegrityError:
        parts.storage.delete(key)
        return False
    except BaseException:
        _take_back(image.id, key)
        raise
    return True


def _take_back(image_id: UUID, key: str) -> None:
    """Delete the file of a row that was not written; where nobody can tell, it stays: litter, not loss."""
    with contextlib.suppress(Exception):
        if not lifecycle.exists(image_id):
            parts.storage.delete(key)


def find(image_id: UUID) -> Image:
    """Return the picture. Raises: ``ImageNotFound``."""
    image = db.session.get(Image, image_id, populate_existing=True)
    if image is None:
        raise ImageNotFound
    return image


def await_end(image_id: UUID, wait_s: float) -> Image:
    """Return the picture as soon as it is no longer processing, or after ``wait_s`` seconds, or at a stop."""
    deadline = time.monotonic() + wait_s
    image = find(image_id)
    while image.status == "processing" and time.monotonic() < deadline and not parts.jobs.stopping:
        db.session.rollback()
        time.sleep(POLL_S)
        image = find(image_id)
    return image


def page(
    limit: int, cursor: str | None = None, status: str | None = None, q: str | None = None
) -> Page[Image]:
    """List pictures, newest first; with ``q`` those with all its words, the last one a prefix.

    Raises: ``InvalidCursor``.
    """
    statement = select(Image)
    if status:
        statement = statement.where(Image.status == status)
    if q is None or not q.strip():
        return paging.fetch(statement, limit, cursor, Image.id)
    matches, position = search.narrow(statement, q, db.session())
    return paging.fetch(matches, limit, cursor, position, position_of)


def retry(image_id: UUID) -> Image:
    """Queue again what failed. Raises: ``ImageNotFound``, ``Conflict``."""
    stage = lifecycle.retry(image_id)
    if stage == lifecycle.CAPTION:
        caption.resume()
    parts.jobs.wake(stage, image_id)
    return find(image_id)


def delete(image_id: UUID) -> None:
    """Delete a picture in whatever state, then its files. Raises: ``ImageNotFound``."""
    for key in lifecycle.remove(image_id):
        discard(key)


def discard(key: str) -> None:
    """Delete a file that no row names any more; one that can't be deleted now is only litter."""
    try:
        parts.storage.delete(key)
    except OSError as error:
        log.warning("could not delete %s: %s", key, type(error).__name__)


def find_thumbnail(image_id: UUID, name: str) -> Thumbnail:
    """Return the row of a derivative. Raises: ``ImageNotFound``, ``ThumbnailNotReady``."""
    thumbnail = db.session.get(Thumbnail, (image_id, name))
    if thumbnail is None:
        processing = find(image_id).status == "processing"
        raise ThumbnailNotReady(retry_after_s=RETRY_AFTER_S if processing else None)
    return thumbnail


def open_thumbnail(image_id: UUID, name: str) -> tuple[Thumbnail, BinaryIO]:
    """Open a derivative. Raises: ``ImageNotFound``, ``ThumbnailNotReady``."""
    thumbnail = find_thumbnail(image_id, name)
    try:
        return thumbnail, parts.storage.open(thumbnail.key)
    except MissingObject as error:
        raise ThumbnailNotReady from error


def open_original(image: Image) -> BinaryIO:
    """Open the upload, byte for byte, also out of its zip. Raises: ``OriginalDiscarded``."""
    try:
        return open_stored(image)
    except MissingObject as error:
        raise OriginalDiscarded from error


def open_stored(image: Image) -> BinaryIO:
    """Open the upload as ``open_original`` does. Raises: ``MissingObject``."""
    if image.original_key is None:
        raise MissingObject(str(image.id))
    stream = parts.storage.open(image.original_key)
    if not image.original_key.endswith(".zip"):
        return stream
    with stream, zipfile.ZipFile(stream) as archive:
        return io.BytesIO(archive.read(archive.infolist()[0]))
