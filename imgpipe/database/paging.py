"""Page through rows by key: no gap, no repeat while rows arrive, and page 10,000 as cheap as page 1."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Generic, TypeVar
from uuid import UUID

from itsdangerous import BadSignature, Signer
from sqlalchemy import Select, SQLColumnExpression

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


def read_objects(statement: "Select[Row]") -> Sequence[Row]:
    """Read whole objects, with the session that they belong to."""
    return db.session.scalars(statement).all()


def fetch(
    statement: "Select[*tuple[Any, ...]]",
    limit: int,
    cursor: str | None,
    key: SQLColumnExpression[Any],
    locate: Callable[[UUID], Any] = lambda id: id,
    read: Callable[..., Sequence[Row]] = read_objects,
) -> Page[Row]:
    """Have ``read`` run ``statement`` for one page of at most ``limit`` rows, by descending ``key``.

    The rows have an ``id``, and ``locate`` turns an id into its place in the order of ``key``.
    Raises: ``InvalidCursor``.
    """
    place = _decode(cursor) if cursor else None
    if place and place.direction == _NEWER:
        newer = statement.where(key > locate(place.id)).order_by(key.asc()).limit(limit + 1)
        rows = read(newer)
        items = rows[:limit][::-1]
        return Page(items, _beside(items, -1, _OLDER), _beside(items, 0, _NEWER, len(rows) > limit))
    if place:
        statement = statement.where(key < locate(place.id))
    rows = read(statement.order_by(key.desc()).limit(limit + 1))
    items = rows[:limit]
    following = _beside(items, -1, _OLDER, len(rows) > limit)
    return Page(items, following, _beside(items, 0, _NEWER, place is not None))


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
