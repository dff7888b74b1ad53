"""Look for pictures without colour and perceptual hash: they were rendered before there were any."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlalchemy import select

from imgpipe.database.engine import db, writing
from imgpipe.database.models import Image, Thumbnail
from imgpipe.database.walk import walk
from imgpipe.errors import CorruptImage
from imgpipe.extensions import parts
from imgpipe.imaging.damage import damage_refused
from imgpipe.imaging.fingerprint import fingerprint_of
from imgpipe.pictures import alike
from imgpipe.storage.protocol import MissingObject


def find_missing() -> Iterator[str]:
    """Yield the ids of finished pictures that nobody has looked at."""
    for rows in walk(select(Image.id).where(Image.status == "success", Image.color.is_(None))):
        yield from (str(row.id) for row in rows)


def make(ids: Sequence[str]) -> int:
    """Look at the mediums; returns how many there were."""
    return sum(_make(UUID(id)) for id in ids)


def _make(image_id: UUID) -> bool:
    medium = select(Thumbnail.key).where(Thumbnail.image_id == image_id, Thumbnail.name == "medium")
    key = db.session.scalar(medium)
    db.session.remove()
    try:
        with damage_refused():
            color, hash = fingerprint_of(parts.storage.read(key or ""))
    except (MissingObject, CorruptImage):
        return False  # told, and mended, as a missing derivative
    with writing(durable=False) as session:
        image = session.get(Image, image_id, with_for_update=True, populate_existing=True)
        if image is not None:
            alike.change(session, image.position, image.perceptual_hash, hash)
            image.color, image.perceptual_hash = color or "", hash
    return True
