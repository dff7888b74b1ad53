"""Look for pictures that lack a derivative, and make it again from the original.

This is done here and not by way of the queue: the picture stays successful for all to see, and its caption,
which may have been paid for, stays as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from flask import Flask, current_app
from sqlalchemy import Row, select

from imgpipe.database.engine import db
from imgpipe.database.models import Image, Thumbnail
from imgpipe.database.walk import walk
from imgpipe.doctor.files import Listing
from imgpipe.errors import ImgpipeError
from imgpipe.extensions import parts
from imgpipe.imaging import pipeline
from imgpipe.pictures import gallery, render, repair
from imgpipe.storage.protocol import MissingObject

_Row = Row[UUID, str, str, int, int]


def find_missing() -> Iterator[str]:
    """Yield the ids of successful pictures at rest that lack a derivative of the recipe: its row or its file.

    One of another size than the recipe says now counts as missing.
    """
    listing = Listing()
    statement = select(Image.id, Image.facts).where(Image.status == "success", Image.stage.is_(None))
    for rows in walk(statement):
        found = _rows_of([row.id for row in rows])
        yield from (str(row.id) for row in rows if _lacks(row.facts, found[row.id], listing))


def _rows_of(ids: Sequence[UUID]) -> Mapping[UUID, Mapping[str, _Row]]:
    columns = (Thumbnail.image_id, Thumbnail.name, Thumbnail.key, Thumbnail.width, Thumbnail.height)
    found: dict[UUID, dict[str, _Row]] = {id: {} for id in ids}
    for row in db.session.execute(select(*columns).where(Thumbnail.image_id.in_(ids))):
        found[row.image_id][row.name] = row
    db.session.rollback()
    return found


def _lacks(facts: Mapping[str, Any], found: Mapping[str, _Row], listing: Listing) -> bool:
    sizes = parts.settings.thumbnails.sizes_of((facts["width"], facts["height"]))
    return any(
        row is None or (row.width, row.height) != size or listing.lacks(row.key)
        for row, size in ((found.get(name), size) for name, size in sizes.items())
    )


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
            work = pipeline.run(data, parts.settings.thumbnails)
        except MissingObject:
            repair.fail(image_id, "original_missing", "The original file is missing.")
        except ImgpipeError as error:
            repair.fail(image_id, error.code, error.message)
        else:
            made = [render.keep(image_id, derivative) for derivative in work.derivatives]
            for key in repair.replace_thumbnails(image_id, made):
                gallery.discard(key)
