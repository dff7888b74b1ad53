"""Label pictures, count each label in constant time, and find the pictures that have some."""

import json
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVarTuple

from sqlalchemy import ColumnElement, Select, and_, delete, insert, or_, select, text
from sqlalchemy.orm import Session

from imgpipe.database import paging
from imgpipe.database.engine import db
from imgpipe.database.labelmodels import Label, LabelledPicture
from imgpipe.database.models import Image
from imgpipe.database.paging import Page
from imgpipe.errors import InvalidCursor, InvalidParameter
from imgpipe.text import clean_text

Columns = TypeVarTuple("Columns")
LENGTH = 64
MOST = 64
_COUNT = text(
    "INSERT INTO labels (name, pictures) VALUES (:name, :by)"
    " ON CONFLICT (name) DO UPDATE SET pictures = labels.pictures + excluded.pictures"
)


def tidy(names: Iterable[str]) -> list[str]:
    """Trim labels, compose them (NFC) and drop repeats, in their order.

    Raises: ``InvalidParameter`` where one has not 1 to 64 characters, a comma or a line break, or where
    there are more than 64.
    """
    tidied = list(dict.fromkeys(map(_spell, names)))
    if len(tidied) > MOST:
        raise _refusal(f"expected at most {MOST} labels")
    for name in tidied:
        if not 1 <= len(name) <= LENGTH or "," in name or len(name.splitlines()) > 1:
            raise _refusal(f"expected 1 to {LENGTH} characters each, in one line and without a comma")
    return tidied


def _spell(name: str) -> str:
    """Return a label as it is stored, whoever sends it or asks for it."""
    return unicodedata.normalize("NFC", clean_text(name).strip())


def split(texts: Iterable[str]) -> list[str]:
    """Read labels that are written with commas between them, as ``tidy`` does; blanks are none."""
    return tidy(name for text in texts for name in text.split(",") if name.strip())


def _refusal(problem: str) -> InvalidParameter:
    return InvalidParameter(f"labels: {problem}", details={"parameter": "labels"})


def change(session: Session, position: int, before: Collection[str], after: Collection[str]) -> None:
    """Note which labels a picture has instead of those before; part of the caller's transaction.

    The labels are taken in the order of their names, so that two writers never wait for each other.
    """
    added, removed = set(after) - set(before), set(before) - set(after)
    if removed:
        ours = LabelledPicture.position == position
        session.execute(delete(LabelledPicture).where(ours, LabelledPicture.label.in_(removed)))
    if added:
        rows = [{"label": name, "position": position} for name in sorted(added)]
        session.execute(insert(LabelledPicture), rows)
    for name in sorted(added | removed):
        session.execute(_COUNT, {"name": name, "by": 1 if name in added else -1})


def narrow(
    statement: "Select[*Columns]", names: Sequence[str], session: Session
) -> "tuple[Select[*Columns], ColumnElement[int]]":
    """Keep the pictures that have all the labels, of which there is at least one.

    Returns the statement and the column to order it by: the walk goes along the rarest label.
    """
    spelt = [*map(_spell, names)]
    counted = select(Label.name, Label.pictures).where(Label.name.in_(spelt))
    counts = {row.name: row.pictures for row in session.execute(counted)}
    rarest, *others = sorted(spelt, key=lambda name: counts.get(name, 0))
    joined = statement.join(LabelledPicture, LabelledPicture.position == Image.position)
    place: ColumnElement[int] = LabelledPicture.__table__.c.position
    return joined.where(LabelledPicture.label == rarest, have(others)), place


def have(names: Iterable[str]) -> ColumnElement[bool]:
    """Return the condition that a picture has all the labels."""
    each = (
        select(LabelledPicture.label)
        .where(LabelledPicture.label == _spell(name), LabelledPicture.position == Image.position)
        .correlate(Image)
        .exists()
        for name in names
    )
    return and_(Image.id.is_not(None), *each)


@dataclass(frozen=True, slots=True)
class Counted:
    """A label and how many pictures have it."""

    label: str
    count: int


def page(limit: int, cursor: str | None = None) -> Page[Counted]:
    """List the labels in use, those of the most pictures first. Raises: ``InvalidCursor``."""
    backwards, place = _read(cursor) if cursor else (False, None)
    statement = select(Label.name, Label.pictures).where(Label.pictures > 0)
    if place:
        statement = statement.where(_before(place) if backwards else _behind(place))
    order = (
        (Label.pictures.asc(), Label.name.desc()) if backwards else (Label.pictures.desc(), Label.name.asc())
    )
    rows = db.session.execute(statement.order_by(*order).limit(limit + 1)).all()
    items = [Counted(row.name, row.pictures) for row in rows[:limit]]
    items = items[::-1] if backwards else items
    more = len(rows) > limit
    following = items and (backwards or more) and _write(items[-1], backwards=False)
    previous = items and (more if backwards else place is not None) and _write(items[0], backwards=True)
    return Page(items, following or None, previous or None)


def _behind(place: Counted) -> ColumnElement[bool]:
    return or_(Label.pictures < place.count, and_(Label.pictures == place.count, Label.name > place.label))


def _before(place: Counted) -> ColumnElement[bool]:
    return or_(Label.pictures > place.count, and_(Label.pictures == place.count, Label.name < place.label))


def _write(item: Counted, *, backwards: bool) -> str:
    return paging.seal(json.dumps([backwards, item.count, item.label]).encode())


def _read(cursor: str) -> tuple[bool, Counted]:
    try:
        backwards, count, name = json.loads(paging.unseal(cursor))
        return bool(backwards), Counted(str(name), int(count))
    except (ValueError, TypeError) as error:
        raise InvalidCursor from error
