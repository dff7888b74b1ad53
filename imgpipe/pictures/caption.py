"""Do the caption stage: ask the captioner at most once, and hand on what its answer, or silence, means.

A call that failed for the moment gives the thread back: the row falls due again later, in the stage
``recaption``, which workers look at first, so that a picture's calls stay close together.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from imgpipe import metrics
from imgpipe.captions import Caption, Captioner, CaptionError
from imgpipe.clock import utc_now
from imgpipe.database.engine import db, lock_name, writing
from imgpipe.database.models import Image, Thumbnail
from imgpipe.extensions import parts
from imgpipe.imaging.encoding import jpeg_on_white
from imgpipe.jobs.protocol import Claim
from imgpipe.pictures import authorship, pause, prompts
from imgpipe.pictures import caption_rules as rules
from imgpipe.pictures.caption_rules import Ask, Situation
from imgpipe.pictures.outcome import Done, Later, Outcome, Stage
from imgpipe.pictures.queue import HELD, IMAGES, naming
from imgpipe.storage.protocol import MissingObject

log = logging.getLogger(__name__)


def work(claim: Claim) -> Outcome | None:
    """Find out what is to become of a claimed picture's caption."""
    image = db.session.get(Image, claim.image_id)
    db.session.remove()
    if image is None:
        return None
    if parts.captioner is None:
        return rules.skip(image.caption is not None)
    try:
        captioner = prompts.steered(image, parts.captioner)
    except CaptionError as error:
        return rules.without(error, Situation(now=utc_now(), has_caption=image.caption is not None))
    planned = _plan(claim, captioner)
    if planned is None:
        return None
    situation, plan = planned
    return _ask(claim, situation, plan, captioner) if isinstance(plan, Ask) else plan


def give_up(claim: Claim) -> Outcome | None:
    """Give up a caption that crashed too often."""
    has_caption = bool(db.session.scalar(select(Image.caption.is_not(None)).where(HELD), naming(claim)))
    db.session.remove()
    error = CaptionError("upstream_error", "Captioning this picture crashed repeatedly.")
    return rules.without(error, Situation(now=utc_now(), has_caption=has_caption))


STAGE = Stage(work, give_up)


def _plan(claim: Claim, captioner: Captioner) -> tuple[Situation, Ask | Done | Later] | None:
    """Decide what to do, and note a call before it is made, so that no crash makes it a fourth.

    All in one transaction, one at a time for the same bytes: so two of them are never asked about at once.
    """
    with writing(durable=True) as session:
        digest = session.scalar(select(IMAGES.c.sha256).where(HELD), naming(claim))
        if digest is None:
            return None
        lock_name(session, f"caption {digest}")
        image = session.scalars(
            select(Image).where(HELD).with_for_update().execution_options(populate_existing=True),
            naming(claim),
        ).one_or_none()
        if image is None:
            return None
        situation = _look(session, image, captioner)
        plan = rules.before_call(situation)
        if isinstance(plan, Ask):
            _note(session, claim, plan)
            if situation.probing:
                pause.probe(session, situation.now)
        return situation, plan


def _look(session: Session, image: Image, captioner: Captioner) -> Situation:
    now = utc_now()
    latest = pause.lock(session)
    paused = latest is not None and pause.holds(latest, now)
    # In this order: a twin that ends between the two looks is seen at it by the first, or its caption is by
    # the second. The other way round it would be seen by neither, and paid for again.
    twin_is_asked = _twin_is_asked(session, image)
    known = _known(session, image, captioner.fingerprint)
    return Situation(
        now=now,
        timeout_s=parts.settings.caption_timeout_s,
        calls=image.caption_calls,
        began_at=image.caption_began_at,
        has_caption=image.caption is not None,
        closed=authorship.is_closed(image),
        known=known,
        twin_is_asked=twin_is_asked,
        pause=latest.message if latest and paused else None,
        probing=latest is not None and not paused,
        asked=prompts.source_prompt(image),
        own_model=prompts.names_model(image),
    )


def _known(session: Session, image: Image, fingerprint: str) -> Mapping[str, Any] | None:
    """Return the caption that this captioner gave the same bytes before."""
    columns = (Image.caption, Image.caption_source, Image.caption_raw, Image.caption_key)
    same = (Image.sha256 == image.sha256) & (Image.caption_key == fingerprint) & (Image.id != image.id)
    statement = select(*columns).where(same, Image.caption.is_not(None)).limit(1)
    found = session.execute(statement).one_or_none()
    return dict(found._mapping) if found else None


def _twin_is_asked(session: Session, image: Image) -> bool:
    asked = (Image.sha256 == image.sha256) & Image.running & Image.calling & (Image.id != image.id)
    return session.execute(select(Image.id).where(asked).limit(1)).first() is not None


def _note(session: Session, claim: Claim, ask: Ask) -> None:
    values = {"calling": True, "caption_calls": ask.calls, "caption_began_at": ask.began_at}
    session.execute(update(IMAGES).where(HELD).values(**values), naming(claim))


def _ask(claim: Claim, situation: Situation, plan: Ask, captioner: Captioner) -> Outcome:
    try:
        jpeg = medium(claim.image_id)
    except MissingObject:
        return rules.without(CaptionError("bad_image", "The medium thumbnail is missing."), situation)
    except OSError as error:
        return rules.storage_away(situation, error.strerror or type(error).__name__)
    started = time.perf_counter()
    answer = _call(captioner, jpeg)
    worked_ms = round((time.perf_counter() - started) * 1000)
    if isinstance(answer, CaptionError) and rules.pauses(answer, situation):
        pause.begin(answer)
    elif situation.probing:
        pause.end()
    return rules.after_call(
        answer,
        replace(situation, now=utc_now()),
        plan,
        fingerprint=captioner.fingerprint,
        worked_ms=worked_ms,
    )


def _call(captioner: Captioner, jpeg: bytes) -> Caption | CaptionError:
    outcome = _outcome(captioner, jpeg)
    code = outcome.code if isinstance(outcome, CaptionError) else "done"
    metrics.CAPTION_CALLS.labels(captioner.provider, code).inc()
    return outcome


def _outcome(captioner: Captioner, jpeg: bytes) -> Caption | CaptionError:
    try:
        return captioner.caption(jpeg)
    except CaptionError as error:
        return error
    except Exception:
        log.exception("the captioner failed unexpectedly")
        return CaptionError("upstream_error", "The captioner failed unexpectedly.")


def medium(image_id: UUID) -> bytes:
    """Return what a captioner is shown: the medium as JPEG. Raises: ``MissingObject``, ``OSError``."""
    key = db.session.scalar(
        select(Thumbnail.key).where(Thumbnail.image_id == image_id, Thumbnail.name == "medium")
    )
    db.session.remove()
    if key is None:
        raise MissingObject(str(image_id))
    return jpeg_on_white(parts.storage.read(key))
