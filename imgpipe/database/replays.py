"""Keep the first answer to a request that carries an idempotency key, to give it again for a day."""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from imgpipe.clock import utc_now
from imgpipe.database.engine import db, insert_if_new, writing
from imgpipe.database.models import Replay
from imgpipe.errors import Repeated

KEPT = timedelta(hours=24)
# Called with what was made, inside the transaction that makes it.
Seal = Callable[[Session, object], None]


def find(key: str) -> Replay | None:
    """Return the answer kept under a key, if it is not too old."""
    fresh = Replay.created_at > utc_now() - KEPT
    found = db.session.scalar(select(Replay).where(Replay.key == key, fresh))
    db.session.rollback()
    return found


def keep(session: Session, key: str, fingerprint: str, status: int, body: str, location: str | None) -> None:
    """Keep an answer as part of the caller's transaction, and forget what is too old.

    Raises: ``Repeated`` when the same key was answered meanwhile; nothing of the transaction may stay then.
    """
    now = utc_now()
    session.execute(delete(Replay).where(Replay.created_at <= now - KEPT))
    row = {"key": key, "fingerprint": fingerprint, "status": status, "body": body, "location": location}
    if session.scalar(insert_if_new(Replay, **row, created_at=now).returning(Replay.key)) is None:
        raise Repeated


def amend(key: str, status: int, body: str) -> None:
    """Keep another answer under a key, now that more is known."""
    with writing(durable=False) as session:
        session.execute(update(Replay).where(Replay.key == key).values(status=status, body=body))


def forget(key: str) -> None:
    """Keep nothing under a key any more, so that it is free."""
    with writing(durable=False) as session:
        session.execute(delete(Replay).where(Replay.key == key))
