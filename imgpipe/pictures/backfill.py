"""Keep how far the pictures have got the sizes that ``IMGPIPE_THUMBNAILS`` gained after they were rendered.

There is one row a table of sizes; the newest is the table in force. Who claims it works on some pictures in
the order of their ids and writes down where it stopped, so that one process at a time does this, and a kill
costs the picture it was at.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Table, case, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from imgpipe.clock import utc_now
from imgpipe.database.backfillmodels import Backfill
from imgpipe.database.engine import db, lock_name, writing
from imgpipe.database.models import new_id
from imgpipe.extensions import parts
from imgpipe.imaging.recipe import STANDARD
from imgpipe.jobs.protocol import Claim

STAGE = "backfill"
CRASH_PAUSE_S = 1.0
LONGEST_S = 60.0  # beyond two leases and this, the clock has been set back
ROWS = cast(Table, Backfill.__table__)
log = logging.getLogger(__name__)


class Progress(NamedTuple):
    """``last_id``: all pictures up to it have their sizes; how many were ``seen``, and ``made`` again."""

    last_id: UUID
    seen: int
    made: int


def begin() -> None:
    """Note the table of sizes in force; where it is not the one of last time, begin at the oldest picture."""
    if _is_noted(db.session()):
        db.session.rollback()
        return
    added = parts.settings.thumbnails.sizes.keys() - STANDARD
    with writing(durable=True) as session:
        lock_name(session, STAGE)
        if _is_noted(session):  # by another process meanwhile
            return
        session.execute(delete(ROWS).where(ROWS.c.recipe == _recipe()))
        values = {"id": new_id(), "recipe": _recipe(), "begun_at": utc_now(), "last_id": UUID(int=0)}
        values |= {"due_at": utc_now() if added else None, "attempt": 0, "running": False}
        session.execute(insert(ROWS).values(**values, seen=0, made=0, crashes=0))
    if added:
        log.info("pictures that lack the thumbnails %s get them in the background", ", ".join(sorted(added)))


def _is_noted(session: Session) -> bool:
    newest = session.scalar(select(ROWS.c.recipe).order_by(ROWS.c.begun_at.desc()).limit(1))
    return newest == _recipe() or (newest is None and parts.settings.thumbnails.sizes == STANDARD)


def is_due(lease_s: float) -> bool | None:
    """Tell whether there is something to do now; None once all is done."""
    now = utc_now()
    found = db.session.execute(select(ROWS.c.due_at).where(ROWS.c.recipe == _recipe())).scalar_one_or_none()
    db.session.rollback()
    return found and not now < found <= now + timedelta(seconds=2 * lease_s + LONGEST_S)


def claim(lease_s: float) -> Claim | None:
    """Take the work, or None where another has it or nothing is left."""
    now = utc_now()
    stray = ROWS.c.due_at > now + timedelta(seconds=2 * lease_s + LONGEST_S)
    statement = (
        update(ROWS)
        .where(ROWS.c.recipe == _recipe(), or_(ROWS.c.due_at <= now, stray))
        .values(
            attempt=ROWS.c.attempt + 1,
            due_at=now + timedelta(seconds=lease_s),
            crashes=ROWS.c.crashes + case((ROWS.c.running & (ROWS.c.due_at <= now), 1), else_=0),
            running=True,
        )
        .returning(ROWS.c.id, ROWS.c.attempt, ROWS.c.crashes)
    )
    with writing(durable=False) as session:
        row = session.execute(statement).one_or_none()
    return Claim(row.id, STAGE, row.attempt, row.crashes) if row else None


def renew(claims: Sequence[Claim], lease_s: float) -> None:
    """Push the end of the lease ahead."""
    for claim in claims:
        _write(claim, due_at=utc_now() + timedelta(seconds=lease_s))


def release(claims: Sequence[Claim], delay_s: float = 0.0) -> None:
    """Give the work back, due at once or in ``delay_s`` seconds."""
    for claim in claims:
        _write(claim, due_at=utc_now() + timedelta(seconds=delay_s), running=False)


def leave_as_crashed(claim: Claim) -> None:
    """Leave the row as a crash would, but due soon, so that the third time passes the picture over."""
    _write(claim, due_at=utc_now() + timedelta(seconds=CRASH_PAUSE_S))


def progress(claim: Claim) -> Progress | None:
    """Return how far a claim that still holds has got."""
    columns = (ROWS.c.last_id, ROWS.c.seen, ROWS.c.made)
    row: Row[UUID, int, int] | None = db.session.execute(select(*columns).where(_held(claim))).one_or_none()
    db.session.rollback()
    return Progress(*row) if row else None


def advance(claim: Claim, progress: Progress, *, ended: bool) -> None:
    """Write down how far it is, and give the work back, or end it."""
    _write(claim, **progress._asdict(), due_at=None if ended else utc_now(), running=False, crashes=0)


def seen() -> int | None:
    """Tell how many pictures were looked at; None where nothing is under way."""
    under_way = (ROWS.c.recipe == _recipe(), ROWS.c.due_at.is_not(None))
    found = db.session.scalar(select(ROWS.c.seen).where(*under_way))
    db.session.rollback()
    return found


def _recipe() -> str:
    return str(parts.settings.thumbnails)


def _held(claim: Claim) -> ColumnElement[bool]:
    return (ROWS.c.id == claim.image_id) & (ROWS.c.attempt == claim.attempt)


def _write(claim: Claim, **values: Any) -> None:
    with writing(durable=False) as session:
        session.execute(update(ROWS).where(_held(claim), ROWS.c.running).values(**values))
