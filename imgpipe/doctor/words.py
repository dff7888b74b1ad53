"""Look for pictures that no search finds, as their words are not noted."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlalchemy import BigInteger, column, exists, select, table

from imgpipe.database.engine import db, writing
from imgpipe.database.models import Image
from imgpipe.database.walk import walk
from imgpipe.pictures import search


def find_missing() -> Iterator[str]:
    """Yield the ids of pictures without words."""
    name = "rowid" if db.engine.dialect.name == "sqlite" else "position"
    noted = table("image_words", column(name, BigInteger))
    statement = select(Image.id).where(~exists().where(noted.c[name] == Image.position))
    for rows in walk(statement):
        yield from (str(row.id) for row in rows)


def enter(ids: Sequence[str]) -> int:
    """Note the words of the pictures; returns how many."""
    columns = (Image.position, Image.original_name, Image.caption)
    statement = select(*columns).where(Image.id.in_([UUID(id) for id in ids])).with_for_update()
    with writing(durable=True) as session:
        for row in session.execute(statement).all():
            search.enter(session, row.position, row.original_name, row.caption)
    return len(ids)
