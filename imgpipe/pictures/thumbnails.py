"""Keep the rows of a picture's derivatives."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import Table, delete, insert
from sqlalchemy.orm import Session

from imgpipe.database.models import Thumbnail

THUMBNAILS = cast(Table, Thumbnail.__table__)


class Replaced(NamedTuple):
    """What had been there before, and by how many bytes the derivatives have grown."""

    keys: Collection[str]
    grown_bytes: int


def replace(session: Session, image_id: UUID, thumbnails: Sequence[Mapping[str, Any]]) -> Replaced:
    """Put these in the place of all derivatives of a picture, in the caller's transaction."""
    columns = (THUMBNAILS.c.key, THUMBNAILS.c.size_bytes)
    statement = delete(THUMBNAILS).where(THUMBNAILS.c.image_id == image_id).returning(*columns)
    former = session.execute(statement).all()
    session.execute(insert(THUMBNAILS), [dict(each, image_id=image_id) for each in thumbnails])
    grown = sum(each["size_bytes"] for each in thumbnails) - sum(row.size_bytes for row in former)
    return Replaced({row.key for row in former}, grown)
