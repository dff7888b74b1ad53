"""Look for pictures that lack a derivative, and make it again from the original."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import select

from imgpipe.database.engine import db
from imgpipe.database.models import Image
from imgpipe.database.walk import walk
from imgpipe.doctor.files import Listing
from imgpipe.errors import ImgpipeError
from imgpipe.extensions import parts, present_app
from imgpipe.imaging.recipe import SQUARE, STANDARD
from imgpipe.pictures import remaking, repair, thumbnails
from imgpipe.pictures.thumbnails import Found
from imgpipe.storage.protocol import MissingObject

REQUIRED = (*STANDARD, SQUARE)  # what every client may count on


def find_missing() -> Iterator[str]:
    """Yield the ids of successful pictures at rest that lack a derivative of the recipe: its row or its file.

    Of another size than the recipe says now counts as missing; an added one without an original does not.
    """
    listing = Listing()
    columns = (Image.id, Image.facts, Image.original_key)
    statement = select(*columns).where(Image.status == "success", Image.stage.is_(None))
    for rows in walk(statement):
        found = thumbnails.of([row.id for row in rows])
        for row in rows:
            names = parts.settings.thumbnails.names if row.original_key else REQUIRED
            if _lacks(names, row.facts, found[row.id], listing.lacks):
                yield str(row.id)


def _lacks(
    names: Sequence[str], facts: Mapping[str, Any], found: Mapping[str, Found], is_lost: Callable[[str], bool]
) -> bool:
    lacking = thumbnails.lacking(facts, found)
    return any(name in lacking or is_lost(found[name].key) for name in names)


def restore(ids: Sequence[str]) -> int:
    """Render the derivatives again; returns how many pictures were tried.

    One whose original is gone or damaged fails, unless it lacks an added size only.
    """
    app = present_app()
    with ThreadPoolExecutor(parts.settings.workers, "restore") as pool:
        list(pool.map(lambda id: _restore(app, UUID(id)), ids))
    return len(ids)


def _restore(app: Flask, image_id: UUID) -> None:
    with app.app_context():
        try:
            remaking.remake(image_id)
        except MissingObject:
            _give_up(image_id, "original_missing", "The original file is missing.")
        except ImgpipeError as error:
            _give_up(image_id, error.code, error.message)


def _give_up(image_id: UUID, code: str, sentence: str) -> None:
    facts = db.session.scalar(select(Image.facts).where(Image.id == image_id))
    found = thumbnails.of([image_id])[image_id]
    if facts and _lacks(REQUIRED, facts, found, lambda key: not parts.storage.exists(key)):
        repair.fail(image_id, code, sentence)
