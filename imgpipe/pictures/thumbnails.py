"""Keep the rows of a picture's derivatives."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import Table, bindparam, delete, insert, select
from sqlalchemy.orm import Session

from imgpipe.database.engine import db
from imgpipe.database.models import Thumbnail
from imgpipe.extensions import parts
from imgpipe.imaging.geometry import Size

THUMBNAILS = cast(Table, Thumbnail.__table__)
_DELETE = (
    delete(THUMBNAILS)
    .where(THUMBNAILS.c.image_id == bindparam("of_id"))
    .returning(THUMBNAILS.c.key, THUMBNAILS.c.size_bytes)
)
_INSERT = insert(THUMBNAILS)


class Found(NamedTuple):
    """A derivative as its row has it: where its file is, and its size, px."""

    key: str
    size: Size


class Replaced(NamedTuple):
    """What had been there before, and by how many bytes the derivatives have grown."""

    keys: Collection[str]
    grown_bytes: int


def of(ids: Sequence[UUID]) -> Mapping[UUID, Mapping[str, Found]]:
    """Return the derivatives that pictures have, by their names."""
    columns = (
        THUMBNAILS.c.image_id,
        THUMBNAILS.c.name,
        THUMBNAILS.c.key,
        THUMBNAILS.c.width,
        THUMBNAILS.c.height,
    )
    found: dict[UUID, dict[str, Found]] = {id: {} for id in ids}
    for id, name, key, *size in db.session.execute(select(*columns).where(THUMBNAILS.c.image_id.in_(ids))):
        found[id][name] = Found(key, (size[0], size[1]))
    db.session.rollback()
    return found


def lacking(facts: Mapping[str, Any], found: Mapping[str, Found]) -> Collection[str]:
    """Name what a picture of these facts should have and has not, or has in another size."""
    sizes = parts.settings.thumbnails.sizes_of((facts["width"], facts["height"]))
    return [name for name, size in sizes.items() if name not in found or found[name].size != size]


def replace(
    session: Session,
    image_id: UUID,
    thumbnails: Sequence[Mapping[str, Any]],
    names: Collection[str] | None = None,
) -> Replaced:
    """Put these in the place of the derivatives of these names, or of all, in the caller's transaction."""
    statement = _DELETE if names is None else _DELETE.where(THUMBNAILS.c.name.in_(names))
    former = session.execute(statement, {"of_id": image_id}).all()
    session.execute(_INSERT, [dict(each, image_id=image_id) for each in thumbnails])
    grown = sum(each["size_bytes"] for each in thumbnails) - sum(row.size_bytes for row in former)
    return Replaced({row.key for row in former}, grown)
