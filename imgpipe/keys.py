"""Make, find, list and revoke API keys. Only their digests are stored; no row is ever deleted.

A key is 256 random bits, so a plain SHA-256 of it is as good as a slow hash: there is nothing to guess.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, select, update
from sqlalchemy.exc import IntegrityError

from imgpipe.clock import utc_now
from imgpipe.database.engine import db, writing
from imgpipe.database.models import ApiKey, new_id
from imgpipe.errors import Conflict, NotFound

SCOPES = ("read", "upload", "all")
PREFIX = "imgpipe_"  # by which people and scanners know a leaked one


@dataclass(frozen=True)
class Grant:
    """What a key lets its holder do, and until when."""

    name: str
    scope: str
    expires_at: datetime | None = None

    @property
    def expired(self) -> bool:
        """Tell whether the key's time is over."""
        return self.expires_at is not None and self.expires_at <= utc_now()


def create(name: str, scope: str, lifetime: timedelta | None = None) -> str:
    """Make a key and return it, the only time that it can be seen.

    Raises: ``Conflict`` while a key of this name is in force.
    """
    key = PREFIX + secrets.token_urlsafe(32)
    expires_at = utc_now() + lifetime if lifetime else None
    row = ApiKey(id=new_id(), name=name, scope=scope, digest=_digest(key), expires_at=expires_at)
    try:
        with writing(durable=True) as session:
            session.add(row)
    except IntegrityError as error:
        raise Conflict(f"There is a key of the name {name!r}; revoke it, or choose another name.") from error
    return key


def revoke(name: str) -> None:
    """Take a key out of force, for good. Raises: ``NotFound`` when none of this name is in force."""
    in_force = (ApiKey.name == name) & ApiKey.revoked_at.is_(None)
    with writing(durable=True) as session:
        revoked = session.execute(update(ApiKey).where(in_force).values(revoked_at=utc_now()))
        if not revoked.rowcount:  # type: ignore[attr-defined]
            raise NotFound(f"There is no key of the name {name!r} in force.")


def listed() -> list[ApiKey]:
    """Return every key that was ever made, the oldest first."""
    return list(db.session.scalars(select(ApiKey).order_by(ApiKey.id)))


def find(key: str) -> Grant | None:
    """Return what a key grants, expired or not; None for one that was never made, or is revoked.

    It asks by a connection of its own: the request's transaction begins later, or not at all.
    """
    columns = select(ApiKey.name, ApiKey.scope, ApiKey.expires_at)
    with db.engine.connect() as connection:
        row = connection.execute(
            columns.where(ApiKey.digest == _digest(key), ApiKey.revoked_at.is_(None))
        ).one_or_none()
    return Grant(*row) if row else None


def any_created() -> bool:
    """Tell whether a key was ever made, whatever became of it."""
    with db.engine.connect() as connection:
        return bool(connection.scalar(select(exists(select(ApiKey.id)))))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
