"""Move pictures through their states, each move one conditional UPDATE and one transaction.

(insert) -> render -> caption -> [recaption ...] -> success
              |                                       |
              +-> failed -> (retry) render            +-> (retry) caption
"""

import random
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    Table,
    delete,
    func,
    insert,
    select,
    true,
    update,
)
from sqlalchemy.orm import Session

from imgpipe.clock import utc_now
from imgpipe.database.engine import db, writing
from imgpipe.database.models import Image, Tally, Thumbnail, position_of
from imgpipe.database.replays import Seal
from imgpipe.errors import Conflict, ImageNotFound
from imgpipe.jobs.protocol import Claim
from imgpipe.pictures import alike, authorship, events, labels, search
from imgpipe.pictures.queue import CAPTION, IMAGES, RENDER, held, rows

THUMBNAILS, TALLIES = (cast(Table, entity.__table__) for entity in (Thumbnail, Tally))
TALLY_SHARDS = 8
MAX_CRASHES = 3


def enter(image: Image, seal: Seal | None = None) -> None:
    """Store a new picture together with its first piece of work; durable when this returns."""
    now = utc_now()
    image.status, image.stage, image.due_at, image.changed_at = "processing", RENDER, now, now
    image.position = position_of(image.id)
    with writing(durable=True) as session:
        session.add(image)
        session.flush()
        search.enter(session, image.position, image.original_name, image.caption)
        labels.change(session, image.position, (), image.labels)  # before the tallies, as everywhere
        _count(session, total=1)
        if seal:
            seal(session, image)


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
        row = _hold(session, claim)
        if row is None:
            return False
        if thumbnails:
            session.execute(delete(THUMBNAILS).where(THUMBNAILS.c.image_id == claim.image_id))
            session.execute(insert(THUMBNAILS), [dict(each, image_id=claim.image_id) for each in thumbnails])
        then, values = authorship.respect(row, then, values, rendering=claim.stage == RENDER)
        if values.get("caption"):
            if (row.caption, row.caption_source) != (values["caption"], values.get("caption_source")):
                authorship.remember(session, claim.image_id, row)
            search.enter(session, row.position, row.original_name, values["caption"])
            values["caption_asked"] = None
        if "perceptual_hash" in values:
            alike.change(session, row.position, row.perceptual_hash, values["perceptual_hash"])
        total_ms = row.worked_ms + worked_ms
        ends = then is None and row.status == "processing"
        if ends:
            values |= {"status": "success", "processed_at": now}
            _count(session, success=1, worked_ms=total_ms)
        elif row.status == "success":  # only its caption was made anew
            _count(session, worked_ms=worked_ms)
        due_at = now if then else None
        _settle(session, claim, stage=then, due_at=due_at, worked_ms=total_ms, **values)
        if ends:
            events.tell(session, claim.image_id, "image.succeeded")
        if values.get("caption"):
            events.tell(session, claim.image_id, "image.captioned")
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
        events.tell(session, claim.image_id, "image.failed")
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


def recaption(
    session: Session, condition: ColumnElement[bool], asked: Mapping[str, Any] | None = None
) -> int:
    """Queue the caption of finished pictures anew, whose status stays; returns how many.

    ``asked``: what is wanted beside a plain one: ``prompt``, ``model``, ``overwrite_human``, ``run``. What a
    person wrote is left alone unless it says ``overwrite_human``.
    """
    asked = {name: value for name, value in (asked or {}).items() if value}
    whose = true() if asked.get("overwrite_human") else authorship.by_machine
    statement = update(Image).where(Image.status == "success", Image.stage.is_(None), condition, whose)
    return rows(session.execute(statement.values(**_queued(CAPTION), caption_asked=asked or None)))


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
        events.tell(session, image_id, "image.deleted")
        keys = list(session.scalars(select(Thumbnail.key).where(Thumbnail.image_id == image_id)))
        statement = (
            delete(Image)
            .where(Image.id == image_id)
            .returning(
                Image.status,
                Image.worked_ms,
                Image.original_key,
                Image.position,
                Image.labels,
                Image.perceptual_hash,
            )
        )
        row = session.execute(statement).one_or_none()
        if row is None:
            raise ImageNotFound
        search.leave(session, row.position)
        alike.change(session, row.position, row.perceptual_hash, None)
        labels.change(session, row.position, row.labels, ())
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


def _hold(session: Session, claim: Claim) -> "Row[*tuple[Any, ...]] | None":
    """Lock the row of a claim that still holds; None when it does not."""
    columns = (
        IMAGES.c.status,
        IMAGES.c.worked_ms,
        IMAGES.c.position,
        IMAGES.c.original_name,
        IMAGES.c.caption,
        IMAGES.c.caption_source,
        IMAGES.c.caption_asked,
        IMAGES.c.perceptual_hash,
    )
    return session.execute(select(*columns).where(held(claim)).with_for_update()).one_or_none()


def _settle(session: Session, claim: Claim, **values: Any) -> None:
    """End a claim that was seen to hold in the same transaction."""
    statement = update(IMAGES).where(IMAGES.c.id == claim.image_id)
    session.execute(statement.values(running=False, crashes=0, changed_at=utc_now(), **values))


def _count(session: Session, **changes: int) -> None:
    values = {name: TALLIES.c[name] + change for name, change in changes.items() if change}
    if not values:
        return
    shard = random.randrange(TALLY_SHARDS)  # a writer waits for another's commit in one of eight cases only
    session.execute(update(TALLIES).where(TALLIES.c.shard == shard).values(**values))
