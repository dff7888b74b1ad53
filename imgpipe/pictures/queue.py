"""Hand out the work of the pictures: claim it, renew the claim, give it back, put it off.

The queue is the pictures' own table. ``stage`` says what is to be done, ``due_at`` when; ``attempt`` fences
off a holder whose lease ran out.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, Result, Table, and_, bindparam, case, func, or_, select, update

from imgpipe.clock import utc_now
from imgpipe.database.engine import db, writing
from imgpipe.database.models import Image
from imgpipe.jobs.protocol import Claim

IMAGES = cast(Table, Image.__table__)  # past the ORM: its bookkeeping would cost more than the statements do
RENDER, CAPTION, RECAPTION = "render", "caption", "recaption"
# What each pool of workers looks through, in this order.
LANES = {RENDER: (RENDER,), CAPTION: (RECAPTION, CAPTION)}
CRASH_PAUSE_S = 1.0


def due() -> Sequence[str]:
    """Name the lanes in which some work is due now; the cost does not grow with the backlog."""
    found = db.session.execute(_DUE, {"now": utc_now()}).one()
    db.session.rollback()
    return [lane for lane in LANES if getattr(found, lane)]


def _is_due(stage: str) -> ColumnElement[bool]:
    now = bindparam("now", type_=IMAGES.c.due_at.type)
    return select(IMAGES.c.id).where(IMAGES.c.stage == stage, IMAGES.c.due_at <= now).exists()


_DUE = select(*(or_(*map(_is_due, stages)).label(lane) for lane, stages in LANES.items()))


def claim(lane: str, lease_s: float) -> Claim | None:
    """Take the work of a lane that has been due the longest, or None."""
    claims = (_claim(stage, lease_s) for stage in LANES[lane])
    return next(filter(None, claims), None)


def _claim(stage: str, lease_s: float) -> Claim | None:
    """Claim in one statement on both databases.

    A row that is still marked as running had a holder who neither finished nor gave it back: that
    counts as a crash.
    """
    now = utc_now()
    longest_due = (
        select(IMAGES.c.id)
        .where(IMAGES.c.stage == stage, IMAGES.c.due_at <= now)
        .order_by(IMAGES.c.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)  # SQLite drops this clause, its writers queue up anyway
        .scalar_subquery()
    )
    statement = (
        update(IMAGES)
        .where(IMAGES.c.id == longest_due)
        .values(
            attempt=IMAGES.c.attempt + 1,
            due_at=now + timedelta(seconds=lease_s),
            crashes=IMAGES.c.crashes + case((IMAGES.c.running, 1), else_=0),
            running=True,
        )
        .returning(IMAGES.c.id, IMAGES.c.attempt, IMAGES.c.crashes)
    )
    with writing(durable=False) as session:
        row = session.execute(statement).one_or_none()
    return Claim(row.id, stage, row.attempt, row.crashes) if row else None


def renew(claims: Sequence[Claim], lease_s: float) -> None:
    """Push the ends of the leases ahead, of those claims that still hold."""
    _touch(claims, IMAGES.c.running, due_at=utc_now() + timedelta(seconds=lease_s))


def release(claims: Sequence[Claim]) -> None:
    """Give work back untouched and due at once; this is no crash."""
    _touch(claims, due_at=utc_now(), running=False)


def postpone(claim: Claim, delay_s: float, to: str | None = None, **values: Any) -> None:
    """Give work back, due in ``delay_s`` seconds in the stage ``to``, with ``values`` noted on the row."""
    due_at = utc_now() + timedelta(seconds=delay_s)
    _touch([claim], due_at=due_at, running=False, stage=to or claim.stage, **values)


def note(claim: Claim, **values: Any) -> bool:
    """Write ``values`` on the row ahead of a step that must not be taken twice; False when not held."""
    return _touch([claim], **values) == 1


def leave_as_crashed(claim: Claim) -> None:
    """Leave the row as a crash would, but due soon, so that the third time ends it."""
    _touch([claim], due_at=utc_now() + timedelta(seconds=CRASH_PAUSE_S))


def queued() -> int:
    """Count the pictures that some work is still to be done on."""
    count = db.session.scalar(select(func.count()).where(Image.stage.is_not(None)))
    db.session.rollback()
    return count or 0


def held(claim: Claim) -> ColumnElement[bool]:
    """Return the condition under which a claim still holds: the fence before every write."""
    return and_(
        IMAGES.c.id == claim.image_id, IMAGES.c.attempt == claim.attempt, IMAGES.c.stage == claim.stage
    )


def _touch(claims: Sequence[Claim], *conditions: ColumnElement[bool], **values: Any) -> int:
    if not claims:
        return 0
    statement = update(IMAGES).where(or_(*map(held, claims)), *conditions)
    with writing(durable=False) as session:
        return rows(session.execute(statement.values(**values)))


def rows(result: "Result[Any]") -> int:
    """Count the rows that a statement has changed."""
    return int(getattr(result, "rowcount", 0))
