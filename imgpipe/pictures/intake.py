"""Take a picture in: checked by its header, its bytes and its row durable, its work queued."""

import contextlib
import hashlib
import logging
import time
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.exc import DBAPIError, IntegrityError

from imgpipe.database.models import Image, new_id
from imgpipe.database.replays import Seal
from imgpipe.errors import NoFile, TooLarge, Unavailable
from imgpipe.extensions import parts
from imgpipe.imaging.probe import probe
from imgpipe.pictures import lifecycle, queue
from imgpipe.text import display_name

RETRY_AFTER_S = 1
TRIES = 3
log = logging.getLogger(__name__)


def accept(data: bytes, name: str | None, labels: Sequence[str] = (), seal: Seal | None = None) -> Image:
    """Take in a picture: when this returns, its bytes and its row are durable and its work is queued.

    ``labels`` are tidied ones; ``seal`` is called with the picture inside the transaction that stores it.
    Raises: ``NoFile``, ``TooLarge``, and what ``probe`` raises; then nothing has been stored.
    """
    started = time.perf_counter()
    settings = parts.settings
    if not data:
        raise NoFile
    if len(data) > settings.max_upload_bytes:
        raise TooLarge(settings.max_upload_bytes, "IMGPIPE_MAX_UPLOAD_BYTES")
    header = probe(data, settings.max_pixels, settings.accept)
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
            labels=list(labels),
        )
        if _store(image, data, seal):
            took_ms = (time.perf_counter() - started) * 1000
            log.info("accepted %s: %s, %d bytes, %d ms", image_id, header.format, len(data), took_ms)
            parts.jobs.wake(queue.RENDER)
            return image
    raise Unavailable(retry_after_s=RETRY_AFTER_S)


def _store(image: Image, data: bytes, seal: Seal | None) -> bool:
    """Write file, then row; False when another process took the very position in the order (1 in 32,768
    where two uploads meet in one millisecond)."""
    key = image.original_key
    assert key is not None
    try:
        parts.storage.put(key, data)  # where its last step fails, the file is there all the same
        lifecycle.enter(image, seal)
    except IntegrityError:
        parts.storage.delete(key)
        return False
    except BaseException as error:
        _take_back(image.id, key, error)
        raise
    return True


def _take_back(image_id: UUID, key: str, error: BaseException) -> None:
    """Delete the file of a row that was not written; where nobody can tell, it stays: litter, not loss.

    A commit whose connection was lost may yet come true after everybody has looked.
    """
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return
    with contextlib.suppress(Exception):
        if not lifecycle.exists(image_id):
            parts.storage.delete(key)
