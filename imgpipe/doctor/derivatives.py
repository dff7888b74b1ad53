"""Look for pictures that lack a derivative, and make it again from the original."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from flask import Flask, current_app
from sqlalchemy import select

from imgpipe.database.models import Image
from imgpipe.database.walk import walk
from imgpipe.doctor.files import Listing
from imgpipe.errors import ImgpipeError
from imgpipe.extensions import parts
from imgpipe.pictures import remaking, repair, thumbnails
from imgpipe.pictures.thumbnails import Found
from imgpipe.storage.protocol import MissingObject


def find_missing() -> Iterator[str]:
    """Yield the ids of successful pictures at rest that lack a derivative of the recipe: its row or its file.

    One of another size than the recipe says now counts as missing.
    """
    listing = Listing()
    statement = select(Image.id, Image.facts).where(Image.status == "success", Image.stage.is_(None))
    for rows in walk(statement):
        found = thumbnails.of([row.id for row in rows])
        yield from (str(row.id) for row in rows if _lacks(row.facts, found[row.id], listing))


def _lacks(facts: Mapping[str, Any], found: Mapping[str, Found], listing: Listing) -> bool:
    if thumbnails.lacking(facts, found):
        return True
    return any(listing.lacks(found[name].key) for name in parts.settings.thumbnails.names)


def restore(ids: Sequence[str]) -> int:
    """Render the derivatives again; a picture whose original is gone or damaged fails. Returns how many."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    with ThreadPoolExecutor(parts.settings.workers, "restore") as pool:
        list(pool.map(lambda id: _restore(app, UUID(id)), ids))
    return len(ids)


def _restore(app: Flask, image_id: UUID) -> None:
    with app.app_context():
        try:
            remaking.remake(image_id)
        except MissingObject:
            repair.fail(image_id, "original_missing", "The original file is missing.")
        except ImgpipeError as error:
            repair.fail(image_id, error.code, error.message)
