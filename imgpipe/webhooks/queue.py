"""Hand out the deliveries: in order for one subject, a few at once for one target, put off when they fail."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, FromClause, Table, and_, delete, func, or_, select, text, update

from imgpipe.clock import utc_now
from imgpipe.database.engine import db, writing
from imgpipe.database.models import Delivery
from imgpipe.jobs.protocol import Claim

STAGE = "webhook"
AT_ONCE = 4  # to one target, over all processes
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 600.0
GIVEN_UP_AFTER = timedelta(days=3)
LOCK = 0x696D6771  # beside the migrations' among PostgreSQL's advisory locks
ROWS = cast(Table, Delivery.__table__)


class Message(NamedTuple):
    """What is to be delivered, and where."""

    target: str
    body: str


def due(targets: Sequence[str], lease_s: float) -> bool:
    """Tell whether something is due for one of the targets."""
    now = utc_now()
    kinds = (_overdue(ROWS, now), _stray(ROWS, now, lease_s))
    found = (select(ROWS.c.number).where(ROWS.c.target.in_(targets), kind).exists() for kind in kinds)
    some = db.session.scalar(select(or_(*found)))
    db.session.rollback()
    return bool(some)


def claim(targets: Sequence[str], lease_s: float) -> Claim | None:
    """Take what has been due the longest and may go now, or None."""
    now = utc_now()
    earlier, under_way = ROWS.alias(), ROWS.alias()
    first = ~(
        select(earlier.c.number)
        .where(earlier.c.target == ROWS.c.target, earlier.c.subject == ROWS.c.subject)
        .where(earlier.c.number < ROWS.c.number, earlier.c.due_at.is_not(None))
        .exists()
    )
    leased = ~or_(_overdue(under_way, now), _stray(under_way, now, lease_s))
    running = (
        select(func.count())
        .where(under_way.c.target == ROWS.c.target, under_way.c.running, leased)
        .scalar_subquery()
    )
    ready = select(ROWS.c.number).where(ROWS.c.target.in_(targets), first, running < AT_ONCE)
    kinds = (_stray(ROWS, now, lease_s), _overdue(ROWS, now))
    longest_due = (ready.where(kind).order_by(ROWS.c.due_at).limit(1).scalar_subquery() for kind in kinds)
    statement = (
        update(ROWS)
        .where(ROWS.c.number == func.coalesce(*longest_due))
        .values(attempt=ROWS.c.attempt + 1, due_at=now + timedelta(seconds=lease_s), running=True)
        .returning(ROWS.c.id, ROWS.c.attempt)
    )
    with writing(durable=False) as session:
        if session.get_bind().dialect.name == "postgresql":  # or two who count at once would both go
            session.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        row = session.execute(statement).one_or_none()
    return Claim(row.id, STAGE, row.attempt) if row else None


def renew(claims: Sequence[Claim], lease_s: float) -> None:
    """Push the ends of the leases ahead."""
    _touch(claims, due_at=utc_now() + timedelta(seconds=lease_s))


def release(claims: Sequence[Claim]) -> None:
    """Give deliveries back, due at once."""
    _touch(claims, due_at=utc_now(), running=False)


def read_message(claim: Claim) -> Message | None:
    """Return what a claim that still holds is about."""
    row = db.session.execute(select(ROWS.c.target, ROWS.c.body).where(_held(claim))).one_or_none()
    db.session.rollback()
    return Message(row.target, row.body) if row else None


def finish(claim: Claim, target: str) -> None:
    """Strike a delivery off, and let everything else that waits for this target go at once: it is there."""
    with writing(durable=False) as session:
        session.execute(delete(ROWS).where(_held(claim)))
        waiting = (ROWS.c.target == target, ROWS.c.due_at > utc_now(), ~ROWS.c.running)
        session.execute(update(ROWS).where(*waiting).values(due_at=utc_now()))


def put_off(claim: Claim, reason: str) -> bool:
    """Have a delivery tried again later; returns False when three days have passed and it is given up."""
    with writing(durable=False) as session:
        row = session.execute(select(ROWS.c.created_at, ROWS.c.tries).where(_held(claim))).one_or_none()
        if row is None:
            return True
        given_up = utc_now() - row.created_at > GIVEN_UP_AFTER
        due_at = None if given_up else utc_now() + timedelta(seconds=pause_s(row.tries + 1))
        values = {"due_at": due_at, "running": False, "tries": row.tries + 1, "error": reason}
        session.execute(update(ROWS).where(_held(claim)).values(**values))
    return not given_up


def pause_s(tries: int) -> float:
    """Return how long to wait after so many tries: 1 s doubling to 10 min, less up to a quarter."""
    longest: float = min(FIRST_PAUSE_S * 2.0 ** min(tries - 1, 20), LONGEST_PAUSE_S)
    return longest * random.uniform(0.75, 1.0)


def waiting() -> Sequence[Delivery]:
    """List what is not delivered yet, oldest first, the given up among it."""
    return db.session.scalars(select(Delivery).order_by(Delivery.number).limit(10_000)).all()


def replay() -> int:
    """Make everything that waits or was given up due now; returns how many."""
    with writing(durable=True) as session:
        values = {"due_at": utc_now(), "created_at": utc_now(), "tries": 0}
        result = session.execute(update(ROWS).where(~ROWS.c.running).values(**values))
        return int(getattr(result, "rowcount", 0))


def _overdue(rows: FromClause, now: datetime) -> ColumnElement[bool]:
    return rows.c.due_at <= now


def _stray(rows: FromClause, now: datetime, lease_s: float) -> ColumnElement[bool]:
    """Tell what no lease and no pause puts off so far: the clock has been set back since."""
    return rows.c.due_at > now + timedelta(seconds=2 * max(lease_s, LONGEST_PAUSE_S))


def _held(claim: Claim) -> ColumnElement[bool]:
    return and_(ROWS.c.id == claim.image_id, ROWS.c.attempt == claim.attempt)


def _touch(claims: Sequence[Claim], **values: Any) -> None:
    if claims:
        with writing(durable=False) as session:
            session.execute(update(ROWS).where(or_(*map(_held, claims)), ROWS.c.running).values(**values))
