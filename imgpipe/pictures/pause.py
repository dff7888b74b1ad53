"""Pause captioning for all processes, in the database: every further call would fail as the last one did.

A pause that has run out lets one picture through. Its call ends the pause, or begins the next one.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, select, update
from sqlalchemy.orm import Session

from imgpipe import captions
from imgpipe.captions import CaptionError
from imgpipe.clock import utc_now
from imgpipe.database.engine import db, writing
from imgpipe.database.models import Pause
from imgpipe.extensions import parts

PAUSE_S = 300.0
PROBE_S = 60.0  # within which the one call after a pause has ended, or its process
log = logging.getLogger(__name__)


def find() -> Pause | None:
    """Return the pause of the present captioner, or None while calls are made."""
    pause = db.session.scalars(select(Pause).where(in_force()), at(utc_now())).one_or_none()
    db.session.remove()
    return pause


def in_force() -> ColumnElement[bool]:
    """Return the condition under which a pause of the present captioner holds; ``at`` has its parameters.

    One that ends too far ahead was begun by a clock that has been set back since, and holds no more.
    """
    ends_at = Pause.ends_at
    in_time = (ends_at > bindparam("now")) & (ends_at <= bindparam("last_end"))
    return (Pause.key == bindparam("captioner")) & in_time


def at(now: datetime) -> dict[str, Any]:
    """Return the parameters of ``in_force`` for a moment."""
    return {"captioner": _key(), "now": now, "last_end": _end_of_one(now)}


def lock(session: Session) -> Pause | None:
    """Return the latest pause of the present captioner, held or run out, until the transaction ends."""
    return session.get(Pause, _key(), with_for_update=True, populate_existing=True)


def holds(pause: Pause, now: datetime) -> bool:
    """Tell whether a pause is in force, as ``in_force`` does."""
    return now < pause.ends_at <= _end_of_one(now)


def begin(error: CaptionError) -> None:
    """Pause, for the reason that a call has met."""
    log.error("captioning is paused for %.0f s: %s: %s", PAUSE_S, error.code, error.message)
    with writing(durable=False) as session:
        ends_at = utc_now() + timedelta(seconds=PAUSE_S)
        session.merge(Pause(key=_key(), ends_at=ends_at, code=error.code, message=error.message))


def probe(session: Session, now: datetime) -> None:
    """Keep the others waiting while one call finds out whether captioning works again."""
    statement = update(Pause).where(Pause.key == _key())
    session.execute(statement.values(ends_at=now + timedelta(seconds=PROBE_S)))


def end() -> None:
    """Go on: a call has answered, or somebody says that the fault is mended."""
    with writing(durable=False) as session:
        if session.execute(delete(Pause).where(Pause.key == _key()).returning(Pause.key)).first():
            log.info("captioning goes on")


def _end_of_one(now: datetime) -> datetime:
    return now + timedelta(seconds=PAUSE_S + PROBE_S)


def _key() -> str:
    """Identify the captioner as configured; with a new key there is a new chance."""
    return captions.pause_key(parts.settings.captions)
