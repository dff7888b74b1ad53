"""Move pictures through their states, each move one conditional UPDATE and one transaction.

    (insert) -> render -> [caption] -> success
                  |
                  +-> failed             retry: failed or half done -> render or caption again

``stage`` says what is to be done, ``due_at`` when; ``attempt`` fences off a holder whose lease ran out.
"""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, delete, func, or_, select, update
from sqlalchemy.orm import Session

from imgpipe.errors import Conflict, ImageNotFound
from imgpipe.extensions import db, writing
from imgpipe.jobs.protocol import Claim
from imgpipe.models import Image, Tally, Thumbnail, utc_now

RENDER = "render"
TALLY_SHARDS = 8
MAX_CRASHES = 3
CRASH_PAUSE_S = 1.0


def enter(image: Image) -> None:
    """Store a new picture together with its first piece of work; durable when this returns."""
    now = utc_now()
    image.status, image.stage, image.due_at, image.changed_at = "processing", RENDER, now, now
    with writing(durable=True) as session:
        session.add(image)
        session.flush()
        _count(session, total=1)


def due() -> Sequence[str]:
    """Name the stages in which some work is due now."""
    statement = select(Image.stage).where(Image.stage.is_not(None), Image.due_at <= utc_now()).distinct()
    stages = [stage for stage in db.session.scalars(statement) if stage]
    db.session.rollback()
    return stages


def claim(stage: str, lease_s: float) -> Claim | None:
    """Take the work that has been due the longest, in one statement on both databases.

    A row that is still marked as running had a holder who neither finished nor gave it back: that
    counts as a crash.
    """
    now = utc_now()
    longest_due = (
        select(Image.id)
        .where(Image.stage == stage, Image.due_at <= now)
        .order_by(Image.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)  # SQLite drops this clause, its writers queue up anyway
        .scalar_subquery()
    )
    statement = (
        update(Image)
        .where(Image.id == longest_due)
        .values(
            attempt=Image.attempt + 1,
            due_at=now + timedelta(seconds=lease_s),
            crashes=Image.crashes + case((Image.running, 1), else_=0),
            running=True,
        )
        .returning(Image.id, Image.attempt, Image.crashes)
    )
    with writing(durable=False) as session:
        row = session.execute(statement).one_or_none()
    return Claim(row.id, stage, row.attempt, row.crashes) if row else None


def renew(claims: Sequence[Claim], lease_s: float) -> None:
    """Push the ends of the leases ahead, of those claims that still hold."""
    _touch(claims, due_at=utc_now() + timedelta(seconds=lease_s))


def release(claims: Sequence[Claim]) -> None:
    """Give work back untouched and due at once; this is no crash."""
    _touch(claims, due_at=utc_now(), running=False)


def postpone(claim: Claim, delay_s: float, **values: Any) -> None:
    """Give work back, due in ``delay_s`` seconds, with ``values`` noted on the row."""
    _touch([claim], due_at=utc_now() + timedelta(seconds=delay_s), running=False, **values)


def stumble(claim: Claim) -> None:
    """Leave the row as a crash would, but due soon, so that the third time ends it."""
    _touch([claim], due_at=utc_now() + timedelta(seconds=CRASH_PAUSE_S))


def finish(
    claim: Claim,
    *,
    worked_ms: int,
    then: str | None,
    thumbnails: Sequence[Thumbnail] = (),
    **values: Any,
) -> bool:
    """Record what a stage brought forth, and go on to the stage ``then``, or to success when it is None.

    Returns False, with nothing written, when the claim has passed to another or the picture is gone.
    """
    now = utc_now()
    end = {} if then else {"status": "success", "processed_at": now, "error": None, "error_code": None}
    with writing(durable=False) as session:
        total_ms = _settle(
            session,
            claim,
            stage=then,
            due_at=now if then else None,
            worked_ms=Image.worked_ms + worked_ms,
            **end,
            **values,
        )
        if total_ms is None:
            return False
        if thumbnails:
            session.execute(delete(Thumbnail).where(Thumbnail.image_id == claim.image_id))
            session.add_all(thumbnails)
        if not then:
            _count(session, success=1, worked_ms=total_ms)
    return True


def fail(claim: Claim, code: str, sentence: str, worked_ms: int = 0, **values: Any) -> bool:
    """End the picture as failed, with a reason; False when the claim no longer holds."""
    with writing(durable=False) as session:
        held = _settle(
            session,
            claim,
            stage=None,
            due_at=None,
            status="failed",
            error=sentence,
            error_code=code,
            processed_at=utc_now(),
            worked_ms=Image.worked_ms + worked_ms,
            **values,
        )
        if held is None:
            return False
        _count(session, failed=1)
    return True


def retry(image_id: UUID) -> None:
    """Queue again what failed: the pixels. Raises: ``ImageNotFound``, ``Conflict``."""
    now = utc_now()
    with writing(durable=True) as session:
        status = session.scalar(select(Image.status).where(Image.id == image_id).with_for_update())
        if status is None:
            raise ImageNotFound
        if status != "failed":
            raise Conflict("Only a picture that failed can be retried.")
        session.execute(
            update(Image)
            .where(Image.id == image_id)
            .values(
                status="processing",
                stage=RENDER,
                due_at=now,
                changed_at=now,
                running=False,
                crashes=0,
                worked_ms=0,
                processed_at=None,
                error=None,
                error_code=None,
            )
        )
        _count(session, failed=-1)


def remove(image_id: UUID) -> list[str]:
    """Delete the rows of a picture and return the keys of its files. Raises: ``ImageNotFound``."""
    with writing(durable=True) as session:
        keys = list(session.scalars(select(Thumbnail.key).where(Thumbnail.image_id == image_id)))
        statement = (
            delete(Image)
            .where(Image.id == image_id)
            .returning(Image.status, Image.worked_ms, Image.original_key)
        )
        row = session.execute(statement).one_or_none()
        if row is None:
            raise ImageNotFound
        success = row.status == "success"
        _count(
            session,
            total=-1,
            success=-success,
            failed=-(row.status == "failed"),
            worked_ms=-row.worked_ms if success else 0,
        )
    return keys + [row.original_key] * bool(row.original_key)


def exists(image_id: UUID) -> bool:
    """Tell whether the picture is still there."""
    found = db.session.scalar(select(func.count()).where(Image.id == image_id))
    db.session.rollback()
    return bool(found)


def _held(claim: Claim) -> ColumnElement[bool]:
    return and_(Image.id == claim.image_id, Image.attempt == claim.attempt, Image.stage == claim.stage)


def _touch(claims: Sequence[Claim], **values: Any) -> None:
    if not claims:
        return
    with writing(durable=False) as session:
        session.execute(update(Image).where(or_(*map(_held, claims))).values(**values))


def _settle(session: Session, claim: Claim, **values: Any) -> int | None:
    """End a claim that still holds; returns the time worked in all, ms, or None."""
    statement = (
        update(Image)
        .where(_held(claim))
        .values(running=False, crashes=0, changed_at=utc_now(), **values)
        .returning(Image.worked_ms)
    )
    return session.execute(statement).scalar_one_or_none()


def _count(session: Session, **changes: int) -> None:
    values = {name: getattr(Tally, name) + change for name, change in changes.items() if change}
    shard = os.getpid() % TALLY_SHARDS
    session.execute(update(Tally).where(Tally.shard == shard).values(**values))
