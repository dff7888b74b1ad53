"""Move pictures through their states, each move one conditional UPDATE and one transaction.

(insert) -> render -> caption -> [recaption ...] -> success
              |                                       |
              +-> failed -> (retry) render            +-> (retry) caption
"""

import logging
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, bindparam, delete, func, insert, select, true, update
from sqlalchemy.orm import Session

from imgpipe import metrics
from imgpipe.clock import utc_now
from imgpipe.database.engine import db, lock_name, writing
from imgpipe.database.models import Image, Thumbnail, position_of
from imgpipe.database.replays import Seal
from imgpipe.errors import Conflict, ImageNotFound
from imgpipe.jobs.protocol import Claim
from imgpipe.pictures import alike, authorship, events, labels, search, tallies, thumbnails
from imgpipe.pictures.outcome import Done, Failed, Later, Outcome
from imgpipe.pictures.queue import CAPTION, HELD, IMAGES, PAUSED, RENDER, naming, rows

log = logging.getLogger(__name__)
# What has to be known of a picture that goes, to take it out of everything that counts or lists it.
_GONE = (
    Image.status,
    Image.worked_ms,
    Image.original_key,
    Image.position,
    Image.labels,
    Image.perceptual_hash,
)
# Made once: SQLAlchemy takes longer to make a statement than to run it.
_INSERT = insert(IMAGES)
_HOLD = (
    select(
        IMAGES.c.status,
        IMAGES.c.worked_ms,
        IMAGES.c.position,
        IMAGES.c.original_name,
        IMAGES.c.caption,
        IMAGES.c.caption_source,
        IMAGES.c.caption_asked,
        IMAGES.c.perceptual_hash,
        IMAGES.c.original_key,
        IMAGES.c.size_bytes,
    )
    .where(HELD)
    .with_for_update()
)
_WRITE = update(IMAGES).where(IMAGES.c.id == bindparam("held_id"))
ENDS = (None, PAUSED)  # a picture with this next stage is a success, whatever becomes of its caption


def enter(image: Image, seal: Seal | None = None, *, once: bool = False) -> Image:
    """Store a new picture together with its first piece of work; durable when this returns.

    ``once``: not where the same bytes are in and did not fail; then the oldest of them is returned.
    ``seal`` is called inside the transaction with the picture that is returned.
    """
    now = utc_now()
    image.status, image.stage, image.due_at, image.changed_at = "processing", RENDER, now, now
    image.position = position_of(image.id)
    with writing(durable=True) as session:
        if once and (twin := _find_twin(session, image.sha256)):
            if seal:
                seal(session, twin)
            return twin
        session.execute(_INSERT, {name: value for name, value in vars(image).items() if name in IMAGES.c})
        search.enter_all(session, [(image.position, image.original_name, image.caption)])
        labels.change(session, image.position, (), image.labels)  # before the tallies, as everywhere
        tallies.count(session, total=1, stored_bytes=image.size_bytes)
        if seal:
            seal(session, image)
    return image


def _find_twin(session: Session, sha256: str) -> Image | None:
    """Find the same bytes while nobody else can bring them in."""
    lock_name(session, f"bytes {sha256}")
    return session.scalars(alive_of(sha256)).one_or_none()


def alive_of(sha256: str) -> Select[Image]:
    """Return the statement for the oldest picture of these bytes that did not fail."""
    found = select(Image).where(Image.sha256 == sha256, Image.status != "failed")
    return found.order_by(Image.id).limit(1)


def settle(claim: Claim, outcome: Outcome) -> bool:
    """Write what a stage decided; the only place that does, and only while the claim holds.

    Returns False, with nothing written, when it has passed to another or the picture is gone. Once it
    returns True, what the outcome frees may be unlinked.
    """
    # Durable is what ends the work, for a caption may have been paid for, and what a file is unlinked after.
    durable = isinstance(outcome, Done) and (outcome.then in ENDS or bool(outcome.frees))
    with writing(durable=durable) as session:
        row = _hold(session, claim)
        if row is None:
            return False
        values = {"worked_ms": row.worked_ms + outcome.worked_ms, "running": False, "calling": False}
        if isinstance(outcome, Later):
            values |= _put_off(session, claim, row, outcome)
        elif isinstance(outcome, Failed):
            values |= _fail(session, outcome)
        else:
            values |= _finish(session, claim, row, outcome)
        session.execute(_WRITE, {"held_id": claim.image_id, **values})
        _measure(row.status, values)  # before the commit: who sees the status finds it counted
        events.record(session, claim.image_id, *_events(row, values))
    level = logging.WARNING if isinstance(outcome, Failed) else logging.INFO
    log.log(level, "%s, attempt %d, %d ms", outcome.line, claim.attempt, outcome.worked_ms)
    return True


def _measure(before: str, values: Mapping[str, Any]) -> None:
    if values.get("status", before) != before:
        metrics.PICTURES.labels(values["status"]).inc()
        if values["status"] == "failed":
            metrics.FAILURES.labels(values["error_code"]).inc()


def _events(row: "Row[*tuple[Any, ...]]", values: Mapping[str, Any]) -> Iterator[events.Kind]:
    """Name what others are told of, in its order."""
    status = values.get("status", row.status)
    if status != row.status:
        yield "image.succeeded" if status == "success" else "image.failed"
    if values.get("caption"):
        yield "image.captioned"


def _put_off(session: Session, claim: Claim, row: "Row[*tuple[Any, ...]]", it: Later) -> dict[str, Any]:
    if row.status == "success":
        tallies.count(session, worked_ms=it.worked_ms)
    due_at = utc_now() + timedelta(seconds=it.delay_s)
    return {**it.values, "stage": it.then or claim.stage, "due_at": due_at}


def _fail(session: Session, it: Failed) -> dict[str, Any]:
    tallies.count(session, failed=1)
    failure = {"status": "failed", "error": it.sentence, "error_code": it.code, "caption_status": "skipped"}
    return {**failure, **_ended(), "processed_at": utc_now()}


def _finish(session: Session, claim: Claim, row: "Row[*tuple[Any, ...]]", it: Done) -> dict[str, Any]:
    counts = {"stored_bytes": _keep_files(session, claim.image_id, row, it)}
    then, values = authorship.respect(row, it.then, it.values, rendering=claim.stage == RENDER)
    if values.get("caption"):
        if (row.caption, row.caption_source) != (values["caption"], values.get("caption_source")):
            authorship.remember(session, claim.image_id, row)
        search.enter(session, row.position, row.original_name, values["caption"])
        values["caption_asked"] = None
    if "perceptual_hash" in values:
        alike.change(session, row.position, row.perceptual_hash, values["perceptual_hash"])
    values |= {**_ended(), "stage": then, "due_at": utc_now() if then else None}
    if row.status == "success":  # only its caption was made anew
        counts["worked_ms"] = it.worked_ms
    elif then in ENDS:
        counts |= {"success": 1, "worked_ms": row.worked_ms + it.worked_ms}
        values |= {"status": "success", "processed_at": utc_now()}
    tallies.count(session, **counts)
    return values


def _keep_files(session: Session, image_id: UUID, row: "Row[*tuple[Any, ...]]", it: Done) -> int:
    """Write which derivatives there are now; returns by how many bytes the picture's files have grown."""
    grown = 0
    if "original_key" in it.values:
        grown += row.size_bytes * (bool(it.values["original_key"]) - bool(row.original_key))
    if it.thumbnails:
        grown += thumbnails.replace(session, image_id, it.thumbnails).grown_bytes
    return grown


def _ended() -> dict[str, Any]:
    return {"stage": None, "due_at": None, "crashes": 0, "changed_at": utc_now()}


def retry(image_id: UUID) -> str:
    """Queue again what failed, pixels or caption, and return the stage; a caption that waits is asked now.

    Raises: ``ImageNotFound``, ``Conflict``.
    """
    with writing(durable=True) as session:
        columns = (Image.status, Image.caption_error, Image.running, Image.worked_ms)
        row = session.execute(select(*columns).where(Image.id == image_id).with_for_update()).one_or_none()
        if row is None:
            raise ImageNotFound
        if row.status == "failed":
            stage = RENDER
            tallies.count(session, failed=-1)
        elif row.status == "success" and row.caption_error is not None and not row.running:
            stage = CAPTION
            tallies.count(session, success=-1, worked_ms=-row.worked_ms)
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
    at_rest = Image.stage.is_(None) | ((Image.stage == PAUSED) & ~Image.running)
    statement = update(Image).where(Image.status == "success", at_rest, condition, whose)
    return rows(session.execute(statement.values(**_queued(CAPTION), caption_asked=asked or None)))


def _queued(stage: str) -> dict[str, Any]:
    now = utc_now()
    return {
        "stage": stage,
        "due_at": now,
        "changed_at": now,
        "running": False,
        "calling": False,
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
        events.record(session, image_id, "image.deleted")
        freed = tallies.stored_bytes(session, image_id)
        keys = list(session.scalars(select(Thumbnail.key).where(Thumbnail.image_id == image_id)))
        row = session.execute(delete(Image).where(Image.id == image_id).returning(*_GONE)).one_or_none()
        if row is None:
            raise ImageNotFound
        search.leave(session, row.position)
        alike.change(session, row.position, row.perceptual_hash, None)
        labels.change(session, row.position, row.labels, ())
        gone = {"total": -1, "stored_bytes": -freed}
        if row.status == "success":
            gone |= {"success": -1, "worked_ms": -row.worked_ms}
        elif row.status == "failed":
            gone["failed"] = -1
        tallies.count(session, **gone)
    return keys + [row.original_key] * bool(row.original_key)


def exists(image_id: UUID) -> bool:
    """Tell whether the picture is still there."""
    found = db.session.scalar(select(func.count()).where(Image.id == image_id))
    db.session.rollback()
    return bool(found)


def _hold(session: Session, claim: Claim) -> "Row[*tuple[Any, ...]] | None":
    """Lock the row of a claim that still holds; None when it does not."""
    return session.execute(_HOLD, naming(claim)).one_or_none()
