"""Choose pictures out of all there are, by what is known of them, and walk through them oldest first."""

from collections import namedtuple
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import chain
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Select, SQLColumnExpression, bindparam, func, or_, select

from imgpipe.database.engine import db
from imgpipe.database.lookup import Lookup
from imgpipe.database.models import Image, position_of
from imgpipe.errors import InvalidParameter
from imgpipe.pictures import alike, labels, search

PAGE = 128
SPLITS = 16
_ID: ColumnElement[UUID] = Image.__table__.c.id  # with the status, as its index is


@dataclass(frozen=True, slots=True)
class Selection:
    """Pictures of a ``status``, with all ``labels``, words ``q``, a caption; among ``ids``; behind ``after``.

    ``distinct`` leaves out what looks like an older picture of the same selection, however far the walk is.
    """

    labels: Sequence[str] = ()
    q: str = ""
    captioned: bool = False
    ids: Sequence[UUID] = ()
    distinct: bool = False
    after: UUID | None = None
    limit: int | None = None
    status: str = "success"


def count(chosen: Selection) -> int:
    """Count the pictures of a selection, up to its limit; those that ``distinct`` leaves out are in it."""
    statement, place = _narrow(select(Image), chosen)
    if chosen.after:
        statement = statement.where(place > _at(place, chosen.after))
    found = db.session.scalar(select(func.count()).select_from(statement.with_only_columns(place).subquery()))
    db.session.rollback()
    return min(found or 0, chosen.limit or found or 0)


def matching(chosen: Selection) -> Select[tuple[UUID]]:
    """Return the statement for the ids of a selection, whatever its ``distinct``, ``after``, ``limit``."""
    statement, _ = _narrow(select(Image.id), chosen)
    return statement


def walk(chosen: Selection, columns: Sequence[SQLColumnExpression[Any]] = ()) -> Iterator[Any]:
    """Yield ``columns`` of the chosen pictures by ascending id, named, beside what the walk itself needs.

    Between two pages no transaction is open, and what was changed or deleted meanwhile is seen as it is then.
    """
    own = (Image.id, Image.sha256, *((Image.position, Image.perceptual_hash) if chosen.distinct else ()))
    statement, place = _narrow(select(*own, *columns), chosen)
    last = chosen.after or UUID(int=0)
    left = chosen.limit
    db.session.rollback()
    after: BindParameter[Any] = bindparam("after", type_=place.type)
    page = Lookup(statement.where(place > after).order_by(place).limit(PAGE))
    named = _row(*statement.selected_columns.keys())._make
    while rows := [*map(named, page.find_all(db.engine, {"after": _at(place, last)}))]:
        last = rows[-1].id
        if chosen.distinct:
            rows = [row for row in rows if not _has_older_twin(row, chosen)]
            db.session.rollback()
        yield from rows[:left]
        left = None if left is None else left - len(rows)
        if left is not None and left <= 0:
            break


@cache
def _row(*names: str) -> Any:
    return namedtuple("Row", names)


def _narrow(statement: Select[Any], chosen: Selection) -> tuple[Select[Any], ColumnElement[Any]]:
    """Return the statement for a selection and the column to walk it along, whose order an index has."""
    chosen_ones = statement.where(Image.status == chosen.status)
    if chosen.captioned:
        chosen_ones = chosen_ones.where(Image.caption.is_not(None))
    if chosen.ids:
        chosen_ones = chosen_ones.where(or_(*(Image.id == id for id in chosen.ids)))
    if chosen.q.strip():
        return search.narrow(chosen_ones.where(labels.have(chosen.labels)), chosen.q, db.session())
    if chosen.labels:
        return labels.narrow(chosen_ones, chosen.labels, db.session())
    return chosen_ones, _ID


def _at(place: ColumnElement[Any], id: UUID) -> UUID | int:
    """Return where an id stands in the order of a column."""
    return id if place is _ID else position_of(id)


def _has_older_twin(row: Any, chosen: Selection) -> bool:
    near = [] if row.perceptual_hash is None else alike.within(row.perceptual_hash, alike.DISTANCE)
    older = [position for _, position in near if position < row.position]
    everything = replace(chosen, distinct=False, after=None, limit=None)
    statement, _ = _narrow(select(Image.id), everything)
    twins = (Image.sha256 == row.sha256) & (Image.position < row.position)
    blocks = (Image.position.in_(older[first : first + PAGE]) for first in range(0, len(older), PAGE))
    asked = (db.session.execute(statement.where(each).limit(1)) for each in chain([twins], blocks))
    return any(result.first() is not None for result in asked)


Split = Sequence[tuple[str, Fraction]]


def read_split(raw: str) -> Split:
    """Read ``train=0.9,val=0.1``: names of letters, digits, ``_`` and ``-``, shares that sum to 1.

    Raises: ``InvalidParameter``.
    """
    pairs = [part.partition("=")[::2] for part in raw.split(",")]
    try:
        shares = [(name.strip(), Fraction(share.strip())) for name, share in pairs]
    except (ValueError, ZeroDivisionError) as error:
        raise _bad_split() from error
    names = [name for name, _ in shares]
    named = all(name.isascii() and name.replace("-", "").replace("_", "").isalnum() for name in names)
    summed = sum(share for _, share in shares) == 1 and all(share > 0 for _, share in shares)
    if not (named and summed and len(set(names)) == len(names) <= SPLITS and max(map(len, names)) <= 32):
        raise _bad_split()
    return shares


def _bad_split() -> InvalidParameter:
    problem = "split: expected names and shares that sum to 1, such as train=0.9,val=0.1"
    return InvalidParameter(problem, details={"parameter": "split"})


def side_of(split: Split, sha256: str) -> str:
    """Return the name of the part that a picture falls into by its content, for ever the same."""
    place, reached = Fraction(int(sha256[:16], 16), 2**64), Fraction(0)
    for name, share in split:
        reached += share
        if place < reached:
            return name
    return split[-1][0]
