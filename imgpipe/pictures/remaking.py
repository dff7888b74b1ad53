"""Render derivatives of finished pictures again from their originals, apart from the queue.

The picture stays successful for all to see, and its caption, which may have been paid for, stays as it is.
"""

import logging
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from imgpipe.database.engine import db
from imgpipe.database.models import Image
from imgpipe.errors import ImgpipeError
from imgpipe.extensions import parts
from imgpipe.imaging import pipeline
from imgpipe.jobs.protocol import Claim
from imgpipe.pictures import backfill, gallery, originals, queue, render, repair, thumbnails
from imgpipe.pictures.backfill import Progress
from imgpipe.storage.protocol import MissingObject

WINDOW = 500  # pictures that are looked at for one claim
AT_ONCE = 10  # that are made again for one claim
MAX_CRASHES = 3
TELL_EVERY = 1_000
log = logging.getLogger(__name__)


def remake(image_id: UUID, names: Collection[str] | None = None) -> None:
    """Render the derivatives of these names, or all, and put them in the place of those that were there.

    Raises: ``MissingObject`` without an original, ``ImgpipeError`` where it can't be read, ``OSError``.
    """
    image = db.session.get(Image, image_id)
    db.session.remove()  # hold no connection while pixels are at work
    if image is None:
        return
    data = originals.read_original(parts.storage, image.original_key)
    work = pipeline.run(data, parts.settings.thumbnails, parts.settings.png_decoder)
    made = render.keep(image_id, (each for each in work.derivatives if names is None or each.name in names))
    for key in repair.replace_thumbnails(image_id, made, names):
        gallery.discard(key)


def go_on(claim: Claim) -> None:
    """Give the next few pictures the sizes that they lack; stops early when an upload waits."""
    began = backfill.progress(claim)
    if began is None:
        return
    later = select(Image.id, Image.facts).where(Image.id > began.last_id).order_by(Image.id).limit(WINDOW)
    rows = db.session.execute(later).all()
    db.session.rollback()
    done = _make(rows, began, give_up=claim.crashes >= MAX_CRASHES)
    backfill.advance(claim, done, ended=not rows)
    if not rows:
        log.info("all of %d pictures have their thumbnails, %d got more", done.seen, done.made)
    elif done.seen // TELL_EVERY > began.seen // TELL_EVERY:
        log.info("%d pictures have their thumbnails, %d got more", done.seen, done.made)


def _make(rows: Sequence[Row[UUID, dict[str, Any]]], done: Progress, give_up: bool) -> Progress:
    found = thumbnails.of([row.id for row in rows])
    tried = 0
    for id, facts in rows:
        made = False
        if lacking := found[id] and thumbnails.lacking(facts, found[id]):  # what has none is rendered anyway
            if tried == AT_ONCE or queue.RENDER in queue.due():
                break
            made = _try(id, lacking, give_up and not tried)
            tried += 1
        done = Progress(id, done.seen + 1, done.made + made)
    return done


def _try(image_id: UUID, names: Collection[str], give_up: bool) -> bool:
    """Remake and return True; a picture for which that can't be done is left to the doctor."""
    try:
        if give_up:
            log.error("%s gets no %s: making them crashed repeatedly", image_id, ", ".join(sorted(names)))
            return False
        remake(image_id, names)
    except MissingObject:
        log.warning("%s gets no %s: its original is not kept", image_id, ", ".join(sorted(names)))
        return False
    except ImgpipeError as error:
        log.warning("%s gets no %s: %s", image_id, ", ".join(sorted(names)), error.code)
        return False
    return True
