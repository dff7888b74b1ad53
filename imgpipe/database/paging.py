"""Page through rows by key: no gap, no repeat while rows arrive, and page 10,000 as cheap as page 1."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, Generic, TypeVar
from uuid import UUID

from itsdangerous import BadSignature, Signer
from sqlalchemy import BindParameter, Integer, Select, SQLColumnExpression, bindparam

from imgpipe.database.engine import db
from imgpipe.errors import InvalidCursor

Row = TypeVar("Row")
_OLDER, _NEWER = b"o", b"n"


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, newest first, and the cursors of the pages beside them."""

    items: Sequence[Row]
    next: str | None
    previous: str | None


@dataclass(frozen=True, slots=True)
class _Place:
    direction: bytes
    id: UUID

    def encode(self) -> str:
        return seal(self.direction + self.id.bytes)


def read_objects(statement: "Select[Row]", values: Mapping[str, Any]) -> Sequence[Row]:
    """Read whole objects, with the session that they belong to."""
    return db.session.scalars(statement, values).all()


def fetch(
    statement: "Select[*tuple[Any, ...]]",
    values: Mapping[str, Any],
    limit: int,
    cursor: str | None,
    key: SQLColumnExpression[Any],
    locate: Callable[[UUID], Any] = lambda id: id,
    read: Callable[..., Sequence[Row]] = read_objects,
) -> Page[Row]:
    """Have ``read`` run ``statement`` with its ``values`` for at most ``limit`` rows, by descending ``key``.

    The rows have an ``id``, and ``locate`` turns an id into its place in the order of ``key``. A statement
    that is made once is prepared once, too. Raises: ``InvalidCursor``.
    """
    place = _decode(cursor) if cursor else None
    direction = place and place.direction
    at = {"place": locate(place.id)} if place else {}
    rows = read(_cut(statement, key, direction), {**values, **at, "rows": limit + 1})
    items, more = rows[:limit], len(rows) > limit
    if direction == _NEWER:
        items = items[::-1]
        return Page(items, _beside(items, -1, _OLDER), _beside(items, 0, _NEWER, more))
    return Page(items, _beside(items, -1, _OLDER, more), _beside(items, 0, _NEWER, place is not None))


@lru_cache(100)
def _cut(
    statement: "Select[*tuple[Any, ...]]", key: SQLColumnExpression[Any], direction: bytes | None
) -> "Select[*tuple[Any, ...]]":
    """Return the statement for so many ``rows`` behind or before a ``place``, or for the first ones.

    It is kept, for SQLAlchemy takes half as long to make it as to run it.
    """
    place: BindParameter[Any] = bindparam("place")
    if direction == _NEWER:
        statement = statement.where(key > place).order_by(key.asc())
    elif direction == _OLDER:
        statement = statement.where(key < place).order_by(key.desc())
    else:
        statement = statement.order_by(key.desc())
    return statement.limit(bindparam("rows", type_=Integer))


def _beside(items: Sequence[Any], end: int, direction: bytes, more: bool = True) -> str | None:
    return _Place(direction, items[end].id).encode() if items and more else None


# No secret: a cursor says nothing that its list does not, and one made up by hand does no harm. It only
# tells a cursor of ours from a text that was cut or mistyped.
_signer = Signer("imgpipe", salt="cursor", key_derivation="none", digest_method=sha256)


def seal(payload: bytes) -> str:
    """Write a place in a list as a cursor, signed so that no other text passes for one."""
    return _signer.sign(urlsafe_b64encode(payload)).decode()


def unseal(cursor: str) -> bytes:
    """Return what was sealed. Raises: ``InvalidCursor``."""
    try:
        payload = urlsafe_b64decode(_signer.unsign(cursor))
    except (BadSignature, ValueError) as error:
        raise InvalidCursor from error
    if seal(payload) != cursor:  # the last letter of a signature has bits to spare
        raise InvalidCursor
    return payload


def _decode(cursor: str) -> _Place:
    payload = unseal(cursor)
    if len(payload) != 17 or payload[:1] not in (_OLDER, _NEWER):
        raise InvalidCursor
    return _Place(payload[:1], UUID(bytes=payload[1:]))
