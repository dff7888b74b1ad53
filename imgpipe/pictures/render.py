"""Do the render stage: read the original, run the pipeline, keep what comes out."""

import hashlib
import io
import time
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, select

from imgpipe.database.lookup import Lookup
from imgpipe.database.models import Image
from imgpipe.errors import ImgpipeError
from imgpipe.extensions import parts
from imgpipe.imaging import pipeline
from imgpipe.imaging.work import Derivative
from imgpipe.jobs.protocol import Claim
from imgpipe.pictures import originals
from imgpipe.pictures.outcome import Done, Failed, Later, Outcome, Stage
from imgpipe.pictures.queue import CAPTION
from imgpipe.storage.protocol import MissingObject

AWAY_S = 2.0
_STORED = Lookup(select(Image.original_key, Image.original_name).where(Image.id == bindparam("claimed_id")))


class Stored(NamedTuple):
    """What rendering asks of a picture's row."""

    id: UUID
    original_key: str | None
    original_name: str


def work(claim: Claim) -> Outcome | None:
    """Turn a claimed upload into metadata and thumbnails, or into a failure with a reason."""
    found = _STORED.find(claimed_id=claim.image_id)
    if found is None:
        return None
    began = time.perf_counter()
    try:
        return _render(Stored(claim.image_id, *found))
    except (MissingObject, ImgpipeError, OSError) as error:
        outcome = judge(error)
        return replace(outcome, worked_ms=_since(began)) if isinstance(outcome, Failed) else outcome


def give_up(_claim: Claim) -> Outcome:
    """End a picture that crashed too often."""
    return _failed("crashed", "Processing this picture crashed repeatedly.", "given up")


STAGE = Stage(work, give_up)


def judge(error: MissingObject | ImgpipeError | OSError) -> Failed | Later:
    """Decide what an error means: the picture's end, or a wait for whatever is away."""
    if isinstance(error, MissingObject):
        return _failed("original_missing", "The original file is missing.")
    if isinstance(error, ImgpipeError) and error.status < 500:
        return _failed(error.code, error.message)
    reason = getattr(error, "strerror", None) or type(error).__name__
    return Later(line=f"storage is away, the picture waits: {reason}", delay_s=AWAY_S, stalled=True)


def _failed(code: str, sentence: str, how: str = "failed") -> Failed:
    return Failed(line=f"{how}: {code}: {sentence}", code=code, sentence=sentence)


def _render(image: Stored) -> Done:
    data = originals.read_original(parts.storage, image.original_key)
    started = time.perf_counter()
    work = pipeline.run(data, parts.settings.thumbnails, parts.settings.png_decoder)
    thumbnails = keep(image.id, work.derivatives)
    original_key = _archive(image, data)
    facts: dict[str, Any] = dict(work.metadata)
    exif = facts.pop("exif")
    values = {
        "facts": facts,
        "exif": exif,
        "color": work.color or "",
        "perceptual_hash": work.perceptual_hash,
        "original_key": original_key,
        "caption_status": "pending" if parts.captioner else "skipped",
    }
    return Done(
        line=f"rendered {facts['width']}x{facts['height']} {facts['format']}",
        then=CAPTION if parts.captioner else None,
        worked_ms=_since(started),
        values=values,
        thumbnails=thumbnails,
        made=[key for key in (original_key, image.original_key, *(row["key"] for row in thumbnails)) if key],
        frees=[key for key in (image.original_key,) if key and key != original_key],
    )


def _since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)


def _describe(derivative: Derivative) -> dict[str, Any]:
    """Return what the row of a derivative says of its bytes."""
    return {
        "name": derivative.name,
        "format": derivative.format,
        "width": derivative.width,
        "height": derivative.height,
        "size_bytes": len(derivative.data),
        "etag": hashlib.sha256(derivative.data).hexdigest()[:32],
    }


def keep(image_id: UUID, derivatives: Iterable[Derivative]) -> Sequence[dict[str, Any]]:
    """Store the files of derivatives, and return their rows."""
    folder = f"derivatives/{image_id.hex[-2:]}"
    named = {f"{folder}/{image_id}-{each.name}.{each.format}": each for each in derivatives}
    parts.storage.put_all({key: each.data for key, each in named.items()})
    return [{**_describe(each), "key": key} for key, each in named.items()]


def _archive(image: Stored, data: bytes) -> str | None:
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
