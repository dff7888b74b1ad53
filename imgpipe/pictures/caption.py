"""Do the caption stage: ask the captioner once, and decide what its answer, or its silence, means.

A call that failed for the moment gives the thread back: the row falls due again later, in the stage
``recaption``, which workers look at first, so that a picture's calls stay close together. A fault that
every further call would meet pauses captioning altogether, for all processes, in the database.
"""

import hashlib
import logging
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, select

from imgpipe.captions import Caption, Captioner, CaptionError, delay_s
from imgpipe.captions.retry import STAGE_S
from imgpipe.clock import utc_now
from imgpipe.database.engine import db, writing
from imgpipe.database.models import Image, Pause, Thumbnail
from imgpipe.extensions import parts
from imgpipe.imaging.encoding import jpeg_on_white
from imgpipe.jobs.protocol import Claim
from imgpipe.pictures import authorship, lifecycle, queue, wishes
from imgpipe.settings import Settings
from imgpipe.storage.protocol import MissingObject
from imgpipe.text import clean_json, clean_text

PAUSE_S = 300.0
TWIN_S = 0.5
AWAY_PAUSE_S = 2.0
log = logging.getLogger(__name__)


def caption(claim: Claim) -> None:
    """Give a claimed picture its caption, a reason why it has none, or a later time to try again."""
    image = db.session.get(Image, claim.image_id)
    db.session.remove()
    if image is None:
        return None
    if parts.captioner is None or authorship.is_closed(image):
        lifecycle.finish(claim, worked_ms=0, then=None, caption_status="skipped")
        return None
    try:
        captioner = wishes.steered(image, parts.captioner)
    except CaptionError as error:
        return _give_up(claim, error, 0)
    if known := _known(image, captioner):
        lifecycle.finish(claim, worked_ms=0, then=None, **known)
    elif pause := paused():
        reason = CaptionError("paused", f"Captioning is paused: {pause.message}")
        _give_up(claim, reason, 0)
    elif _twin_is_running(image, captioner):
        queue.postpone(claim, TWIN_S)
    else:
        _ask(claim, image, captioner)
    return None


def _ask(claim: Claim, image: Image, captioner: Captioner) -> None:
    """Make one call, noted before it is made so that no crash makes it a fourth."""
    began_at = image.caption_began_at or utc_now()
    if image.caption_calls and _elapsed_s(began_at) + parts.settings.caption_timeout_s > STAGE_S:
        return _give_up(claim, CaptionError("timeout", "There was no time left for another try."), 0)
    try:
        jpeg = _medium(image)
    except MissingObject:
        return _give_up(claim, CaptionError("bad_image", "The medium thumbnail is missing."), 0)
    except OSError as error:
        log.warning("storage is away, the caption waits: %s", error.strerror)
        return queue.postpone(claim, AWAY_PAUSE_S)
    calls = image.caption_calls + 1
    if not queue.note(claim, caption_calls=calls, caption_began_at=began_at):
        return None
    started = time.perf_counter()
    outcome = _call(captioner, jpeg)
    worked_ms = round((time.perf_counter() - started) * 1000)
    if isinstance(outcome, CaptionError):
        return _judge(claim, outcome, image, calls, began_at, worked_ms)
    lifecycle.finish(claim, worked_ms=worked_ms, then=None, **_done(outcome, captioner, image))
    return None


def _judge(
    claim: Claim, error: CaptionError, image: Image, calls: int, began_at: datetime, worked_ms: int
) -> None:
    """Try again later, or tell the picture why there is no caption; pause where nothing else can work."""
    log.warning("no caption after %d ms: %s: %s", worked_ms, error.code, error.message)
    if error.permanent and not wishes.names_model(image):
        _pause(error)
    wait_s = delay_s(error, calls, _elapsed_s(began_at), parts.settings.caption_timeout_s)
    if wait_s is None:
        return _give_up(claim, error, worked_ms)
    # A finished picture's time stands in the tallies already; only its last call is added to both.
    worked = {"worked_ms": image.worked_ms + worked_ms} if image.status == "processing" else {}
    return queue.postpone(claim, wait_s, to=queue.RECAPTION, **worked)


def _elapsed_s(began_at: datetime) -> float:
    return (utc_now() - began_at).total_seconds()


def _call(captioner: Captioner, jpeg: bytes) -> Caption | CaptionError:
    try:
        return captioner.caption(jpeg)
    except CaptionError as error:
        return error
    except Exception:
        log.exception("the captioner failed unexpectedly")
        return CaptionError("upstream_error", "The captioner failed unexpectedly.")


def _medium(image: Image) -> bytes:
    thumbnail = db.session.get(Thumbnail, (image.id, "medium"))
    db.session.remove()
    if thumbnail is None:
        raise MissingObject(str(image.id))
    with parts.storage.open(thumbnail.key) as stream:
        return jpeg_on_white(stream.read())


def _done(made: Caption, captioner: Captioner, image: Image) -> dict[str, Any]:
    return {
        "caption": clean_text(made.text, 1000),
        "caption_status": "done",
        "caption_error": None,
        "caption_source": {"provider": made.provider, "model": made.model, **wishes.told(image)},
        "caption_raw": clean_json(made.raw),
        "caption_key": captioner.fingerprint,
    }


def _give_up(claim: Claim, error: CaptionError, worked_ms: int) -> None:
    told = {"code": error.code, "message": error.message, "type": error.type, "param": error.param}
    lifecycle.finish(
        claim,
        worked_ms=worked_ms,
        then=None,
        caption_status="failed",
        caption_error=clean_json(told),
        caption_raw=clean_json(error.raw),
    )


def _known(image: Image, captioner: Captioner) -> Mapping[str, Any] | None:
    """Take over the caption that this captioner gave the same bytes before."""
    columns = (Image.caption, Image.caption_source, Image.caption_raw, Image.caption_key)
    same = _same_bytes(image)
    statement = select(*columns).where(same, Image.caption_key == captioner.fingerprint, Image.id != image.id)
    row = db.session.execute(statement.where(Image.caption.is_not(None)).limit(1)).one_or_none()
    db.session.remove()
    return {**row._mapping, "caption_status": "done", "caption_error": None} if row else None


def _twin_is_running(image: Image, captioner: Captioner) -> bool:
    """Tell whether an older picture of the same bytes is being captioned, so that its caption will do."""
    calling = Image.running & Image.stage.in_((queue.CAPTION, queue.RECAPTION))
    statement = select(Image.id).where(_same_bytes(image), calling, Image.id < image.id)
    twin = db.session.execute(statement.limit(1)).first()
    db.session.remove()
    return twin is not None


def _same_bytes(image: Image) -> ColumnElement[bool]:
    return Image.sha256 == image.sha256


def paused() -> Pause | None:
    """Return the pause of the present captioner, or None while calls are made."""
    statement = select(Pause).where(Pause.key == _pause_key(parts.settings), Pause.ends_at > utc_now())
    pause = db.session.scalars(statement).one_or_none()
    db.session.remove()
    return pause


def resume() -> None:
    """End a pause: somebody says that the fault is mended."""
    with writing(durable=False) as session:
        session.execute(delete(Pause).where(Pause.key == _pause_key(parts.settings)))


def _pause(error: CaptionError) -> None:
    key = _pause_key(parts.settings)
    log.error("captioning is paused for %.0f s: %s: %s", PAUSE_S, error.code, error.message)
    with writing(durable=False) as session:
        ends_at = utc_now() + timedelta(seconds=PAUSE_S)
        session.merge(Pause(key=key, ends_at=ends_at, code=error.code, message=error.message))


def _pause_key(settings: Settings) -> str:
    """Identify the captioner as configured, by a hash; with a new key there is a new chance."""
    chosen = (
        settings.captioner,
        settings.caption_url,
        settings.caption_model,
        settings.hf_api_key,
        settings.openai_api_key,
    )
    return hashlib.blake2b(repr(chosen).encode(), digest_size=16).hexdigest()


def again(which: str) -> int:
    """Queue the captions of finished pictures anew: ``missing``, ``failed`` or ``all``; returns how many."""
    conditions = {
        "missing": Image.caption.is_(None),
        "failed": Image.caption_status == "failed",
        "all": Image.id.is_not(None),
    }
    resume()
    with writing(durable=True) as session:
        return lifecycle.recaption(session, conditions[which])
