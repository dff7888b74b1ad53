"""Move pictures through their states, each move one conditional UPDATE and one transaction.

    (insert) -> render -> caption -> [recaption ...] -> success
                  |                                       |
                  +-> failed -> (retry) render            +-> (retry) caption

``stage`` says what is to be done, ``due_at`` when; ``attempt`` fences off a holder whose lease ran out.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Result,
    Row,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from imgpipe.clock import utc_now
from imgpipe.database.engine import db, writing
from imgpipe.database.models import Image, Tally, Thumbnail, position_of
from imgpipe.errors import Conflict, ImageNotFound
from imgpipe.jobs.protocol import Claim
from imgpipe.pictures import search

# The moves go by the tables, past the ORM: its bookkeeping would cost more than the statements do.
IMAGES, THUMBNAILS, TALLIES = (cast(Table, entity.__table__) for entity in (Image, Thumbnail, Tally))
RENDER, CAPTION, RECAPTION = "render", "caption", "recaption"
# What each pool of workers looks through, in this order.
LANES = {RENDER: (RENDER,), CAPTION: (RECAPTION, CAPTION)}
TALLY_SHARDS = 8
MAX_CRASHES = 3
CRASH_PAUSE_S = 1.0


def enter(image: Image) -> None:
    """Store a new picture together with its first piece of work; durable when this returns."""
    now = utc_now()
    image.status, image.stage, image.due_at, image.changed_at = "processing", RENDER, now, now
    image.position = position_of(image.id)
    with writing(durable=True) as session:
        session.add(image)
        session.flush()
        search.enter(session, image.position, image.original_name)
        _count(session, total=1)


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


def stumble(claim: Claim) -> None:
    """Leave the row as a crash would, but due soon, so that the third time ends it."""
    _touch([claim], due_at=utc_now() + timedelta(seconds=CRASH_PAUSE_S))


def finish(
    claim: Claim,
    *,
    worked_ms: int,
    then: str | None,
    thumbnails: Sequence[Mapping[str, Any]] = (),
    frees: Collection[str] = (),
    **values: Any,
) -> bool:
    """Record what a stage brought forth, and go on to the stage ``then``, or to success when it is None.

    ``frees`` are the keys that no row names afterwards: once this returns True their files may be unlinked.
    Returns False, with nothing written, when the claim has passed to another or the picture is gone.
    """
    now = utc_now()
    # Durable is what ends the work, for a caption may have been paid for, and what a file is unlinked after.
    with writing(durable=then is None or bool(frees)) as session:
        held = _hold(session, claim)
        if held is None:
            return False
        if thumbnails:
            session.execute(delete(THUMBNAILS).where(THUMBNAILS.c.image_id == claim.image_id))
            session.execute(insert(THUMBNAILS), [dict(row, image_id=claim.image_id) for row in thumbnails])
        if values.get("caption"):
            search.enter(session, held.position, held.original_name, values["caption"])
        total_ms = held.worked_ms + worked_ms
        if then is None and held.status == "processing":
            values |= {"status": "success", "processed_at": now}
            _count(session, success=1, worked_ms=total_ms)
        elif held.status == "success":  # only its caption was made anew
            _count(session, worked_ms=worked_ms)
        due_at = now if then else None
        _settle(session, claim, stage=then, due_at=due_at, worked_ms=total_ms, **values)
    return True


def fail(claim: Claim, code: str, sentence: str) -> bool:
    """End the picture as failed, with a reason; False when the claim no longer holds."""
    with writing(durable=False) as session:
        if _hold(session, claim) is None:
            return False
        _settle(
            session,
            claim,
            stage=None,
            due_at=None,
            status="failed",
            error=sentence,
            error_code=code,
            caption_status="skipped",
            processed_at=utc_now(),
        )
        _count(session, failed=1)
    return True


def abandon(claim: Claim) -> None:
    """End what crashed too often: the picture when it was its pixels, else only its caption."""
    if claim.stage == RENDER:
        fail(claim, "crashed", "Processing this picture crashed repeatedly.")
        return
    error = {"code": "upstream_error", "message": "Captioning this picture crashed repeatedly."}
    told = {**error, "type": None, "param": None}
    finish(claim, worked_ms=0, then=None, caption_status="failed", caption_error=told)


def retry(image_id: UUID) -> str:
    """Queue again what failed, pixels or caption, and return the stage.

    Raises: ``ImageNotFound``, ``Conflict``.
    """
    with writing(durable=True) as session:
        columns = (Image.status, Image.caption_status, Image.worked_ms)
        row = session.execute(select(*columns).where(Image.id == image_id).with_for_update()).one_or_none()
        if row is None:
            raise ImageNotFound
        if row.status == "failed":
            stage = RENDER
            _count(session, failed=-1)
        elif row.status == "success" and row.caption_status == "failed":
            stage = CAPTION
            _count(session, success=-1, worked_ms=-row.worked_ms)
        else:
            raise Conflict("Nothing of this picture failed, or it is being processed.")
        again: dict[str, Any] = {
            "status": "processing",
            "processed_at": None,
            "error": None,
            "error_code": None,
        }
        if stage == RENDER:
            again["worked_ms"] = 0
        session.execute(update(Image).where(Image.id == image_id).values(**_queued(stage), **again))
    return stage


def recaption(session: Session, condition: ColumnElement[bool]) -> int:
    """Queue the caption of finished pictures anew, whose status stays; returns how many."""
    statement = update(Image).where(Image.status == "success", Image.stage.is_(None), condition)
    return _rows(session.execute(statement.values(**_queued(CAPTION))))


def _queued(stage: str) -> dict[str, Any]:
    now = utc_now()
    return {
        "stage": stage,
        "due_at": now,
        "changed_at": now,
        "running": False,
        "crashes": 0,
        "caption_status": "pending",
        "caption_error": None,
        "caption_calls": 0,
        "caption_began_at": None,
    }


def remove(image_id: UUID) -> list[str]:
    """Delete the rows of a picture and return the keys of its files. Raises: ``ImageNotFound``."""
    with writing(durable=True) as session:
        # Locked first: a render that is just ending has then written its keys, or finds nothing left.
        session.execute(select(Image.id).where(Image.id == image_id).with_for_update())
        keys = list(session.scalars(select(Thumbnail.key).where(Thumbnail.image_id == image_id)))
        statement = (
            delete(Image)
            .where(Image.id == image_id)
            .returning(Image.status, Image.worked_ms, Image.original_key, Image.position)
        )
        row = session.execute(statement).one_or_none()
        if row is None:
            raise ImageNotFound
        search.leave(session, row.position)
        success = row.status == "success"
        _count(
            session,
            total=-1,
            success=-success,
            failed=-(row.status == "failed"),
            worked_ms=-row.worked_ms if success else 0,
        )
    return keys + [row.original_key] * bool(row.original_key)


def queued() -> int:
    """Count the pictures that some work is still to be done on."""
    count = db.session.scalar(select(func.count()).where(Image.stage.is_not(None)))
    db.session.rollback()
    return count or 0


def exists(image_id: UUID) -> bool:
    """Tell whether the picture is still there."""
    found = db.session.scalar(select(func.count()).where(Image.id == image_id))
    db.session.rollback()
    return bool(found)


def _held(claim: Claim) -> ColumnElement[bool]:
    return and_(
        IMAGES.c.id == claim.image_id, IMAGES.c.attempt == claim.attempt, IMAGES.c.stage == claim.stage
    )


def _touch(claims: Sequence[Claim], *conditions: ColumnElement[bool], **values: Any) -> int:
    if not claims:
        return 0
    statement = update(IMAGES).where(or_(*map(_held, claims)), *conditions)
    with writing(durable=False) as session:
        return _rows(session.execute(statement.values(**values)))


def _hold(session: Session, claim: Claim) -> "Row[*tuple[Any, ...]] | None":
    """Lock the row of a claim that still holds; None when it does not."""
    columns = (IMAGES.c.status, IMAGES.c.worked_ms, IMAGES.c.position, IMAGES.c.original_name)
    return session.execute(select(*columns).where(_held(claim)).with_for_update()).one_or_none()


def _settle(session: Session, claim: Claim, **values: Any) -> None:
    """End a claim that was seen to hold in the same transaction."""
    statement = update(IMAGES).where(IMAGES.c.id == claim.image_id)
    session.execute(statement.values(running=False, crashes=0, changed_at=utc_now(), **values))


def _rows(result: "Result[Any]") -> int:
    return int(getattr(result, "rowcount", 0))


def _count(session: Session, **changes: int) -> None:
    values = {name: TALLIES.c[name] + change for name, change in changes.items() if change}
    if not values:
        return
    shard = random.randrange(TALLY_SHARDS)  # a writer waits for another's commit in one of eight cases only
    session.execute(update(TALLIES).where(TALLIES.c.shard == shard).values(**values))
