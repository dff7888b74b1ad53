"""Walk through all pictures in constant memory, and without a transaction that lasts as long as the walk."""

from collections.abc import Iterator, Sequence
from typing import TypeVarTuple
from uuid import UUID

from sqlalchemy import Row, Select

from imgpipe.database.engine import db
from imgpipe.database.models import Image

PAGE = 500
Columns = TypeVarTuple("Columns")


def walk(statement: "Select[*Columns]", page: int = PAGE) -> "Iterator[Sequence[Row[*Columns]]]":
    """Yield the rows of a statement that has ``Image.id`` among its columns, a page at a time, oldest first.

    Between two pages the rows may be changed or deleted.
    """
    last = UUID(int=0)
    while rows := db.session.execute(statement.where(Image.id > last).order_by(Image.id).limit(page)).all():
        db.session.rollback()
        last = rows[-1].id
        yield rows
    db.session.rollback()
