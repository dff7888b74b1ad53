"""Have a picture, or many, captioned anew, in other words if somebody wishes so."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select

from imgpipe.captions import CaptionError, steer
from imgpipe.database.engine import db, writing
from imgpipe.database.models import Image
from imgpipe.errors import Conflict, InvalidParameter
from imgpipe.extensions import parts
from imgpipe.pictures import authorship, gallery, lifecycle, pause, queue

Wish = Mapping[str, Any]


def ask(image_id: UUID, wish: Wish) -> Image:
    """Queue one picture's caption anew: ``prompt``, ``model``, ``overwrite_human``, all of them optional.

    Raises: ``ImageNotFound``, ``Conflict`` where it is not at rest or a person wrote the caption,
    ``InvalidParameter`` where the captioner cannot be asked that way.
    """
    refuse_unable(wish)
    with writing(durable=True) as session:
        queued = lifecycle.recaption(session, Image.id == image_id, wish)
    if not queued:
        raise Conflict(_reason(gallery.find(image_id)))
    pause.end()
    parts.jobs.wake(queue.CAPTION)
    return gallery.find(image_id)


WHICH: Mapping[str, ColumnElement[bool]] = {
    "missing": Image.caption.is_(None),
    "failed": Image.caption_error.is_not(None),
    "all": Image.id.is_not(None),
}


def again(which: str, among: ColumnElement[bool] | None = None, wish: Wish | None = None) -> int:
    """Queue the captions of finished pictures anew: ``missing``, ``failed`` or ``all``; returns how many.

    ``among``: only of these. ``wish``: as for ``ask``, and ``run``, by which an interrupted run is known.
    """
    pause.end()
    with writing(durable=True) as session:
        condition = WHICH[which] if among is None else WHICH[which] & among
        return lifecycle.recaption(session, condition, wish)


def waiting(run: str) -> int:
    """Count the pictures of a run that are still to be captioned."""
    ours = Image.caption_asked["run"].as_string() == run
    statement = select(func.count()).where(Image.stage.in_(queue.LANES[queue.CAPTION]), ours)
    found = db.session.scalar(statement)
    db.session.rollback()
    return found or 0


def refuse_unable(wish: Wish) -> None:
    """Find out before anything is queued that the captioner takes no prompt or model.

    Raises: ``InvalidParameter``.
    """
    given = {name: wish[name] for name in ("prompt", "model") if wish.get(name)}
    if not given or parts.captioner is None:
        return
    try:
        steer(parts.captioner, **given)
    except CaptionError as error:
        name = next(iter(given))
        raise InvalidParameter(f"{name}: {error.message}", details={"parameter": name}) from error


def _reason(image: Image) -> str:
    if image.status != "success":
        return "The picture is being processed, or it failed."
    if image.stage is not None:
        return "The picture is being captioned already."
    if authorship.is_human(image):
        return "A person wrote this caption; say overwrite_human to have it replaced."
    return "The picture has just changed; ask again."
