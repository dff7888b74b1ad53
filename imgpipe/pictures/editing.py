"""Let people write: a caption of their own, labels; and read what stood there before."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from imgpipe.clock import utc_now
from imgpipe.database.engine import db, writing
from imgpipe.database.labelmodels import EarlierCaption
from imgpipe.database.models import Image
from imgpipe.errors import ImageNotFound, InvalidParameter
from imgpipe.extensions import parts
from imgpipe.pictures import authorship, events, gallery, labels, queue, search
from imgpipe.pictures.intake import Said
from imgpipe.text import clean_text

CAPTION_LENGTH = 1000
Check = Callable[[Image], object]


def tidy_caption(text: str) -> str:
    """Trim a caption of 1 to 1,000 characters that is not blank. Raises: ``InvalidParameter``."""
    tidied = clean_text(text).strip()
    if not tidied or len(tidied) > CAPTION_LENGTH:
        problem = f"caption: expected 1 to {CAPTION_LENGTH} characters that are not blank, or null"
        raise InvalidParameter(problem, details={"parameter": "caption"})
    return tidied


def edit(image_id: UUID, changes: Mapping[str, Any], check: Check = lambda image: None) -> Image:
    """Change what ``changes`` names, ``caption`` (a text or None) or ``labels``, in whatever state.

    ``check`` sees the picture while nobody else can change it, and raises to refuse.
    Raises: ``ImageNotFound``, ``InvalidParameter``.
    """
    caption = changes.get("caption")
    told = dict(changes)
    if caption is not None:
        told["caption"] = tidy_caption(caption)
    if "labels" in told:
        told["labels"] = labels.tidy(told["labels"])
    with writing(durable=True) as session:
        image = session.get(Image, image_id, with_for_update=True, populate_existing=True)
        if image is None:
            raise ImageNotFound
        check(image)
        stage = write(session, image, told)
    if stage in queue.LANES[queue.CAPTION]:
        parts.jobs.wake(queue.CAPTION)
    return gallery.find(image_id)


def write(
    session: Session, image: Image, changes: Mapping[str, Any], source: Mapping[str, Any] = authorship.HUMAN
) -> str | None:
    """Change a locked picture as ``edit`` does, with tidied values; returns its stage if that may end now."""
    ending = None
    if "labels" in changes and changes["labels"] != image.labels:
        labels.change(session, image.position, image.labels, changes["labels"])
        image.labels = list(changes["labels"])
        image.changed_at = utc_now()
    if "caption" in changes and not _stands(image, changes["caption"]):
        ending = _set_caption(session, image, changes["caption"], source)
        image.changed_at = utc_now()
        if changes["caption"] is not None:
            session.flush()
            events.record(session, image.id, "image.captioned")
    return ending


def fill(image_id: UUID, said: Said) -> bool:
    """Give a picture that is in what was said of the same bytes elsewhere, where it has nothing yet.

    Returns whether that changed anything. Raises: ``ImageNotFound``.
    """
    with writing(durable=True) as session:
        image = session.get(Image, image_id, with_for_update=True, populate_existing=True)
        if image is None:
            raise ImageNotFound
        changes: dict[str, Any] = {"labels": said.labels} if said.labels and not image.labels else {}
        changes |= {"caption": said.caption} if said.caption and not image.caption else {}
        write(session, image, changes, said.caption_source or authorship.HUMAN)
    return bool(changes)


def _stands(image: Image, text: str | None) -> bool:
    """Tell whether a person has written exactly that already."""
    return text is not None and image.caption == text and authorship.is_human(image)


def _set_caption(session: Session, image: Image, text: str | None, source: Mapping[str, Any]) -> str | None:
    authorship.remember(session, image.id, image)
    image.caption, image.caption_source = text, dict(source) if text else None
    image.caption_status, image.caption_error = "done" if text else "skipped", None
    image.caption_raw = image.caption_key = None
    # A machine that is on its way here finds this when it ends, or before it begins.
    image.caption_asked = {"skip": True} if text is None and image.stage else None
    search.enter(session, image.position, image.original_name, text)
    if image.stage not in queue.LANES[queue.CAPTION] or image.running:
        return None
    if image.stage == queue.PAUSED:  # a success already, that only waited for a machine
        image.stage = image.due_at = image.caption_asked = None
        return None
    image.due_at = utc_now()
    return image.stage


def earlier(image_id: UUID) -> Sequence[EarlierCaption]:
    """List the captions that stood there before, newest first, at most 20. Raises: ``ImageNotFound``."""
    gallery.find(image_id)
    of_this = select(EarlierCaption).where(EarlierCaption.image_id == image_id)
    return db.session.scalars(of_this.order_by(EarlierCaption.id.desc()).limit(authorship.KEPT)).all()
