"""Queue pictures and take them, as uploads and workers do, but without a file, a pool or a wake."""

from typing import Any
from uuid import UUID

from imgpipe.database.engine import db
from imgpipe.database.models import Image, new_id
from imgpipe.jobs.protocol import Claim
from imgpipe.pictures import lifecycle, queue
from imgpipe.pictures.queue import RENDER

SHORT_S, LONG_S = 0.05, 60.0


def enter(**values: Any) -> UUID:
    """Queue a picture and return its id."""
    fixed = {
        "original_name": "a.jpg",
        "original_key": "a",
        "format": "jpg",
        "sha256": "0" * 64,
        "size_bytes": 1,
        "labels": [],
    }
    image = Image(**{"id": new_id(), "caption_status": "skipped"} | fixed | values)
    lifecycle.enter(image)
    return image.id


def claim(lease_s: float = LONG_S, lane: str = RENDER) -> Claim:
    """Take what has been due the longest in a lane."""
    held = queue.claim(lane, lease_s)
    assert held is not None
    return held


def row(id: UUID) -> Image:
    """Read a picture anew."""
    db.session.remove()
    image = db.session.get(Image, id)
    assert image is not None
    return image
