"""Hand out the work of the pictures: claim it, renew the claim, give it back, put it off.

The queue is the pictures' own table. ``stage`` says what is to be done, ``due_at`` when; ``attempt`` fences
off a holder whose lease ran out.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Result,
    ScalarSelect,
    Table,
    and_,
    bindparam,
    case,
    func,
    not_,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from imgpipe.clock import utc_now
from imgpipe.database.engine import db, writing
from imgpipe.database.lookup import Lookup
from imgpipe.database.models import Image, Pause
from imgpipe.extensions import parts
from imgpipe.jobs.protocol import Claim
from imgpipe.pictures import pause

IMAGES = cast(Table, Image.__table__)  # past the ORM: its bookkeeping would cost more than the statements do
RENDER, CAPTION, RECAPTION, PAUSED = "render", "caption", "recaption", "paused"
# What each pool of workers looks through, in this order; into PAUSED only while no pause is in force.
LANES = {RENDER: (RENDER,), CAPTION: (RECAPTION, CAPTION, PAUSED)}
CRASH_PAUSE_S = 1.0
PUT_OFF_S = 60.0  # longer than anything is ever put off
# Under which a claim still holds: the fence before every write, for the parameters that ``naming`` gives.
HELD = and_(
    IMAGES.c.id == bindparam("claimed_id"),
    IMAGES.c.attempt == bindparam("claimed_attempt"),
    IMAGES.c.stage == bindparam("claimed_stage"),
)


def lane_of(stage: str) -> str:
    """Name the lane that a stage's work is found in."""
    return next(lane for lane, stages in LANES.items() if stage in stages)


def due() -> Sequence[str]:
    """Name the lanes in which some work is due now; the cost does not grow with the backlog."""
    found = _DUE.find(**_at(utc_now(), parts.settings.lease_s))
    assert found is not None
    return [lane for lane, is_due in zip(LANES, found, strict=True) if is_due]


def _at(now: datetime, lease_s: float) -> dict[str, Any]:
    """Return the parameters of the statements below; to make those takes longer than to run them."""
    stray_after = now + timedelta(seconds=2 * max(lease_s, PUT_OFF_S))
    return {**pause.at(now), "stray_after": stray_after, "lease_end": now + timedelta(seconds=lease_s)}


_OVERDUE = IMAGES.c.due_at <= bindparam("now")
# What no lease and no delay puts off so far: the clock has been set back since.
_STRAY = IMAGES.c.due_at > bindparam("stray_after")


def _open(stage: str) -> ColumnElement[bool]:
    return not_(select(Pause.key).where(pause.in_force()).exists()) if stage == PAUSED else true()


def _some(stage: str) -> ColumnElement[bool]:
    work = select(IMAGES.c.id).where(IMAGES.c.stage == stage, _open(stage))
    return or_(work.where(_OVERDUE).exists(), work.where(_STRAY).exists())


_DUE = Lookup(select(*(or_(*map(_some, stages)) for stages in LANES.values())))


def claim(lane: str, lease_s: float) -> Claim | None:
    """Take the work of a lane that has been due the longest, or None."""
    claims = (_claim(stage, lease_s) for stage in LANES[lane])
    return next(filter(None, claims), None)


def _claim(stage: str, lease_s: float) -> Claim | None:
    with writing(durable=False) as session:
        row = session.execute(_claiming(stage), _at(utc_now(), lease_s)).one_or_none()
    return Claim(row.id, stage, row.attempt, row.crashes) if row else None


@cache
def _claiming(stage: str) -> ReturningUpdate[Any]:
    """Claim in one statement on both databases.

    A row that is still marked as running had a holder who neither finished nor gave it back: that
    counts as a crash, unless the clock is to blame.
    """
    crashed = IMAGES.c.running & _OVERDUE
    return (
        update(IMAGES)
        .where(IMAGES.c.id == func.coalesce(_first(stage, _STRAY), _first(stage, _OVERDUE)))
        .values(
            attempt=IMAGES.c.attempt + 1,
            due_at=bindparam("lease_end"),
            crashes=IMAGES.c.crashes + case((crashed, 1), else_=0),
            running=True,
            calling=False,
        )
        .returning(IMAGES.c.id, IMAGES.c.attempt, IMAGES.c.crashes)
    )


def _first(stage: str, condition: ColumnElement[bool]) -> ScalarSelect[UUID]:
    return (
        select(IMAGES.c.id)
        .where(IMAGES.c.stage == stage, _open(stage), condition)
        .order_by(IMAGES.c.due_at, IMAGES.c.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=IMAGES)  # SQLite drops this clause, its writers queue up anyway
        .scalar_subquery()
    )


def renew(claims: Sequence[Claim], lease_s: float) -> None:
    """Push the ends of the leases ahead, of those claims that still hold."""
    _touch(claims, due_at=utc_now() + timedelta(seconds=lease_s))


def release(claims: Sequence[Claim], delay_s: float = 0.0) -> None:
    """Give work back untouched, due at once or in ``delay_s`` seconds; this is no crash."""
    _touch(claims, due_at=utc_now() + timedelta(seconds=delay_s), running=False)


def leave_as_crashed(claim: Claim) -> None:
    """Leave the row as a crash would, but due soon, so that the third time ends it."""
    _touch([claim], due_at=utc_now() + timedelta(seconds=CRASH_PAUSE_S))


def queued() -> int:
    """Count the pictures that some work can be done on; what waits for a pause to end does not count."""
    waiting = and_(IMAGES.c.stage == PAUSED, not_(_open(PAUSED)))
    statement = select(func.count()).where(IMAGES.c.stage.is_not(None), not_(waiting))
    count = db.session.scalar(statement, pause.at(utc_now()))
    db.session.rollback()
    return count or 0


def naming(claim: Claim) -> dict[str, Any]:
    """Return the parameters of ``HELD``."""
    return {
        "claimed_id": claim.image_id,
        "claimed_attempt": claim.attempt,
        "claimed_stage": claim.stage,
    }


def _touch(claims: Sequence[Claim], **values: Any) -> None:
    """Change the rows of claims that still hold, and whose work was neither put off nor given back."""
    if claims:
        with writing(durable=False) as session:
            running = update(IMAGES).where(HELD, IMAGES.c.running)
            session.execute(running.values(**values), list(map(naming, claims)))


def rows(result: "Result[Any]") -> int:
    """Count the rows that a statement has changed."""
    return int(getattr(result, "rowcount", 0))
