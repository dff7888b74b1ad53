"""Look for pictures that lack a derivative, and make it again from the original.

This is done here and not by way of the queue: the picture stays successful for all to see, and its caption,
which may have been paid for, stays as it is.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from flask import Flask, current_app
from sqlalchemy import select, update

from imgpipe.clock import utc_now
from imgpipe.database.engine import db, writing
from imgpipe.database.models import Image, Tally, Thumbnail
from imgpipe.database.walk import walk
from imgpipe.doctor.files import Listing
from imgpipe.errors import ImgpipeError
from imgpipe.extensions import parts
from imgpipe.imaging import pipeline
from imgpipe.imaging.work import Derivative
from imgpipe.pictures import gallery, render
from imgpipe.storage.protocol import MissingObject


def find_missing() -> Iterator[str]:
    """Yield the ids of successful pictures at rest that lack the file of a derivative."""
    listing = Listing()
    for rows in walk(select(Image.id).where(Image.status == "success", Image.stage.is_(None))):
        ids = [row.id for row in rows]
        named = select(Thumbnail.image_id, Thumbnail.key).where(Thumbnail.image_id.in_(ids))
        found = db.session.execute(named).all()
        db.session.rollback()
        yield from sorted({str(row.image_id) for row in found if listing.lacks(row.key)})


def restore(ids: Sequence[str]) -> int:
    """Render the derivatives again; a picture whose original is gone or damaged fails. Returns how many."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    with ThreadPoolExecutor(parts.settings.workers, "restore") as pool:
        list(pool.map(lambda id: _restore(app, UUID(id)), ids))
    return len(ids)


def _restore(app: Flask, image_id: UUID) -> None:
    with app.app_context():
        image = db.session.get(Image, image_id)
        db.session.remove()
        if image is None:
            return
        try:
            with gallery.open_stored(image) as stream:
                data = stream.read()
            for derivative in pipeline.run(data, parts.settings.thumbnails).derivatives:
                _put_back(image_id, derivative)
        except MissingObject:
            _fail(image_id, "original_missing", "The original file is missing.")
        except ImgpipeError as error:
            _fail(image_id, error.code, error.message)


def _put_back(image_id: UUID, derivative: Derivative) -> None:
    """Write a derivative under the key that its row names, and tell the row of its new bytes."""
    row = db.session.get(Thumbnail, (image_id, derivative.name))
    db.session.remove()
    if row is None:
        return
    parts.storage.put(row.key, derivative.data)
    ours = (Thumbnail.image_id == image_id) & (Thumbnail.name == derivative.name)
    with writing(durable=True) as session:
        session.execute(update(Thumbnail).where(ours).values(**render.describe(derivative)))


def _fail(image_id: UUID, code: str, sentence: str) -> None:
    """Turn a successful picture at rest into a failed one, and the tallies with it."""
    now = utc_now()
    at_rest = (Image.id == image_id) & (Image.status == "success") & Image.stage.is_(None)
    failed = {"status": "failed", "error": sentence, "error_code": code, "caption_status": "skipped"}
    with writing(durable=True) as session:
        statement = update(Image).where(at_rest).values(**failed, processed_at=now, changed_at=now)
        worked_ms = session.scalar(statement.returning(Image.worked_ms))
        if worked_ms is not None:
            changes = {"success": Tally.success - 1, "failed": Tally.failed + 1}
            tally = update(Tally).where(Tally.shard == 0)
            session.execute(tally.values(**changes, worked_ms=Tally.worked_ms - worked_ms))
