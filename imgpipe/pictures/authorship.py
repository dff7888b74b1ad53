"""Decide whose caption stands: what a person wrote, no machine overwrites unless it was asked for by name."""

from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, select
from sqlalchemy.orm import Session

from imgpipe.database.labelmodels import EarlierCaption
from imgpipe.database.models import Image, new_id

HUMAN: Mapping[str, Any] = {"provider": "human", "model": None}
KEPT = 20
_provider: ColumnElement[str] = Image.caption_source["provider"].as_string()
by_machine: ColumnElement[bool] = func.coalesce(_provider, "") != HUMAN["provider"]


class Captioned(Protocol):
    """Whatever tells of a picture's caption: its row, or a part of it."""

    @property
    def caption(self) -> str | None: ...

    @property
    def caption_source(self) -> Mapping[str, Any] | None: ...

    @property
    def caption_asked(self) -> Mapping[str, Any] | None: ...


def is_human(picture: Captioned) -> bool:
    """Tell whether a person wrote the caption."""
    return bool((picture.caption_source or {}).get("provider") == HUMAN["provider"])


def is_closed(picture: Captioned, *, rendering: bool = False) -> bool:
    """Tell whether no machine is to caption the picture, by what its row says now.

    ``rendering``: it is only on its way to the captioner for the first time, where any caption will do.
    """
    asked = picture.caption_asked or {}
    if asked.get("skip"):
        return True
    if rendering:
        return picture.caption is not None
    return is_human(picture) and not asked.get("overwrite_human")


def respect(
    picture: Captioned, then: str | None, values: Mapping[str, Any], *, rendering: bool
) -> tuple[str | None, dict[str, Any]]:
    """Return the next stage and the values to write, without what would overwrite a person's caption."""
    if not is_closed(picture, rendering=rendering):
        return then, dict(values)
    kept = {name: value for name, value in values.items() if not name.startswith("caption")}
    status = "skipped" if picture.caption is None else "done"
    return None, {**kept, "caption_status": status, "caption_error": None, "caption_asked": None}


def remember(session: Session, image_id: UUID, before: Captioned) -> None:
    """Keep a caption that is about to be replaced, of which the last 20 stay; part of the transaction."""
    if before.caption is None:
        return
    source = before.caption_source and dict(before.caption_source)
    row = {"id": new_id(), "image_id": image_id, "text": before.caption, "source": source}
    session.execute(insert(EarlierCaption), [row])
    of_this = EarlierCaption.image_id == image_id
    newest = select(EarlierCaption.id).where(of_this).order_by(EarlierCaption.id.desc())
    oldest_kept = newest.offset(KEPT - 1).limit(1).scalar_subquery()
    session.execute(delete(EarlierCaption).where(of_this, EarlierCaption.id < oldest_kept))
