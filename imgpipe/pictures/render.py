"""Do the render stage: read the original, run the pipeline, keep what comes out."""

import hashlib
import io
import logging
import time
import zipfile
from collections.abc import Iterable
from typing import Any

from imgpipe.database.engine import db
from imgpipe.database.models import Image
from imgpipe.errors import ImgpipeError
from imgpipe.extensions import parts
from imgpipe.imaging import pipeline
from imgpipe.imaging.work import Derivative
from imgpipe.jobs.protocol import Claim
from imgpipe.pictures import gallery, lifecycle, queue
from imgpipe.storage.protocol import MissingObject

AWAY_PAUSE_S = 2.0
log = logging.getLogger(__name__)


def render(claim: Claim) -> None:
    """Turn a claimed upload into metadata and thumbnails, or into a failure with a reason."""
    image = db.session.get(Image, claim.image_id)
    db.session.remove()  # hold no connection while pixels are at work
    if image is None:
        return
    try:
        _render(claim, image)
    except MissingObject:
        lifecycle.fail(claim, "original_missing", "The original file is missing.")
    except ImgpipeError as error:
        lifecycle.fail(claim, error.code, error.message)
    except OSError as error:
        log.warning("storage is away, the picture waits: %s", error.strerror)
        queue.postpone(claim, AWAY_PAUSE_S)


def _render(claim: Claim, image: Image) -> None:
    with gallery.open_stored(image) as stream:
        data = stream.read()
    started = time.perf_counter()
    work = pipeline.run(data, parts.settings.thumbnails)
    thumbnails = [_keep(image, derivative) for derivative in work.derivatives]
    original_key = _archive(image, data)
    frees = [key for key in (image.original_key,) if key and key != original_key]
    facts: dict[str, Any] = dict(work.metadata)
    exif = facts.pop("exif")
    finished = lifecycle.finish(
        claim,
        worked_ms=round((time.perf_counter() - started) * 1000),
        then=queue.CAPTION if parts.captioner else None,
        thumbnails=thumbnails,
        frees=frees,
        facts=facts,
        exif=exif,
        color=work.color or "",
        perceptual_hash=work.perceptual_hash,
        original_key=original_key,
        caption_status="pending" if parts.captioner else "skipped",
    )
    if finished:
        if parts.captioner:
            parts.jobs.wake(queue.CAPTION, image.id)
        _drop(frees)
    elif not lifecycle.exists(claim.image_id):  # deleted meanwhile: our files would be orphans
        _drop({original_key, image.original_key, *(thumbnail["key"] for thumbnail in thumbnails)})


def describe(derivative: Derivative) -> dict[str, Any]:
    """Return what the row of a derivative says of its bytes."""
    return {
        "name": derivative.name,
        "format": derivative.format,
        "width": derivative.width,
        "height": derivative.height,
        "size_bytes": len(derivative.data),
        "etag": hashlib.sha256(derivative.data).hexdigest()[:32],
    }


def _keep(image: Image, derivative: Derivative) -> dict[str, Any]:
    key = f"derivatives/{image.id.hex[-2:]}/{image.id}-{derivative.name}.{derivative.format}"
    parts.storage.put(key, derivative.data)
    return {**describe(derivative), "key": key}


def _archive(image: Image, data: bytes) -> str | None:
    """Do with the original what the installation wishes, and return its new key."""
    if parts.settings.originals == "discard":
        return None
    if parts.settings.originals == "keep" or image.original_key is None:
        return image.original_key
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:  # pictures don't shrink further
        archive.writestr(image.original_name, data)
    key = f"originals/{image.id.hex[-2:]}/{image.id}.zip"
    parts.storage.put(key, packed.getvalue())
    return key


def _drop(keys: Iterable[str | None]) -> None:
    for key in filter(None, keys):
        gallery.discard(key)
