"""Take a picture in: checked by its header, its bytes and its row durable, its work queued."""

import contextlib
import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from imgpipe.clock import utc_now
from imgpipe.database.engine import writing
from imgpipe.database.models import Image, new_id
from imgpipe.database.replays import Seal
from imgpipe.errors import NoFile, TooLarge, Unavailable
from imgpipe.extensions import parts
from imgpipe.imaging.probe import probe
from imgpipe.pictures import gallery, lifecycle
from imgpipe.text import display_name

RETRY_AFTER_S = 1
TRIES = 3
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Said:
    """What comes with a picture beside its bytes and name, all of it tidied.

    ``image_id`` is one it had elsewhere, which it keeps if it is of version 7, past, and free.
    """

    labels: Sequence[str] = ()
    caption: str | None = None
    caption_source: Mapping[str, Any] | None = None
    image_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A picture that was taken in, or the one of the same bytes that was there before."""

    image: Image
    duplicate: bool = False


NOTHING = Said()


def take(
    data: bytes, name: str | None, said: Said = NOTHING, *, once: bool, seal: Seal | None = None
) -> Taken:
    """Take in a picture: when this returns, its bytes and its row are durable and its work is queued.

    Nobody is roused: who calls knows what else is to be done first.
    ``once``: known bytes are not taken in again; of pictures that have them and did not fail the oldest is
    returned as it is, whoever else brings the same at the same moment. ``seal`` is called with what is
    returned, inside the transaction that stores it.
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
    if once and (known := gallery.find_bytes(digest)):
        return _known(known, seal)
    wished = [said.image_id] if _is_free(said.image_id) else []
    for image_id in [*wished, *[None] * TRIES]:
        image = _describe(image_id, header.format, name, said)
        image.sha256, image.size_bytes = digest, len(data)
        if taken := _store(image, data, once, seal):
            if not taken.duplicate:
                took_ms = (time.perf_counter() - started) * 1000
                log.info("accepted %s: %s, %d bytes, %d ms", image.id, header.format, len(data), took_ms)
            return taken
    raise Unavailable(retry_after_s=RETRY_AFTER_S)


def _describe(image_id: UUID | None, format: str, name: str | None, said: Said) -> Image:
    key = new_id()  # never of another picture, whatever id was asked for
    return Image(
        id=image_id or key,
        original_name=display_name(name, f"image.{format}"),
        original_key=f"originals/{key.hex[-2:]}/{key}.{format}",
        format=format,
        caption=said.caption,
        caption_source=said.caption_source and dict(said.caption_source),
        caption_status="done" if said.caption else "pending" if parts.captioner else "skipped",
        labels=list(said.labels),
    )


def _known(image: Image, seal: Seal | None) -> Taken:
    taken = Taken(image, duplicate=True)
    if seal:
        with writing(durable=True) as session:
            seal(session, taken)
    return taken


def _is_free(image_id: UUID | None) -> bool:
    """Tell whether a picture may keep an id: of a future one, every picture after it would seem older."""
    if image_id is None or image_id.version != 7 or image_id.int >> 80 > utc_now().timestamp() * 1000:
        return False
    return not lifecycle.exists(image_id)


def _store(image: Image, data: bytes, once: bool, seal: Seal | None) -> Taken | None:
    """Write file, then row, unless ``once`` and such bytes are in.

    None when another process took the very id, or position in the order (1 in 32,768 where two uploads meet
    in one millisecond).
    """
    key = image.original_key
    assert key is not None

    def seal_it(session: Session, entered: object) -> None:
        if seal and isinstance(entered, Image):
            seal(session, Taken(entered, duplicate=entered is not image))

    try:
        parts.storage.put(key, data, fresh=True)  # where its last step fails, the file is there all the same
        entered = lifecycle.enter(image, seal_it, once=once)
    except IntegrityError:
        parts.storage.delete(key)
        return None
    except BaseException as error:
        _take_back(image.id, key, error)
        raise
    if entered is not image:
        gallery.discard(key)
    return Taken(entered, duplicate=entered is not image)


def _take_back(image_id: UUID, key: str, error: BaseException) -> None:
    """Delete the file of a row that was not written; where nobody can tell, it stays: litter, not loss.

    A commit whose connection was lost may yet come true after everybody has looked.
    """
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return
    with contextlib.suppress(Exception):
        if not lifecycle.exists(image_id):
            parts.storage.delete(key)
