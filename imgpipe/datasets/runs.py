"""Caption, rewrite or label many pictures at once, so that it can be looked at first and gone on with."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, true

from imgpipe.captions import CaptionError
from imgpipe.database.engine import db
from imgpipe.database.models import Image
from imgpipe.datasets.selection import Selection, matching, walk
from imgpipe.errors import Conflict, ImageNotFound, InvalidParameter
from imgpipe.extensions import parts
from imgpipe.pictures import authorship, caption, editing, prompts, recaption
from imgpipe.storage.protocol import MissingObject


@dataclass(frozen=True, slots=True)
class Run:
    """Which captions to make anew, ``missing``, ``failed`` or ``all`` of the chosen, and what to ask for.

    ``sample``: of so many only, the oldest.
    """

    which: str
    chosen: Selection
    wish: Mapping[str, Any]
    sample: int | None = None

    @property
    def key(self) -> str:
        """Name the run, so that it is known again after an interruption."""
        told = [self.which, [*self.chosen.labels], self.chosen.q, dict(self.wish), self.sample]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

    def among(self) -> ColumnElement[bool]:
        """Return the condition that holds for its pictures."""
        whose = true() if self.wish.get("overwrite_human") else authorship.by_machine
        wanted = recaption.WHICH[self.which] & whose & Image.stage.is_(None)
        ids = matching(self.chosen).where(wanted)
        if self.sample is None:
            return Image.id.in_(ids)
        return Image.id.in_(list(db.session.scalars(ids.order_by(Image.id).limit(self.sample))))

    def count(self) -> int:
        """Count the pictures that are to be captioned, each of which is one call, or more where one fails."""
        found = db.session.scalar(select(func.count()).select_from(Image).where(self.among()))
        db.session.rollback()
        return found or 0

    def start(self) -> int:
        """Queue its pictures; returns how many."""
        among = self.among()
        db.session.rollback()
        return recaption.again(self.which, among, {**self.wish, "run": self.key})


@dataclass(frozen=True, slots=True)
class Change:
    """What a picture has, and what it would get; ``fault`` where it would get nothing."""

    image_id: UUID
    name: str
    before: str | None
    after: str | None
    fault: str | None = None


def preview(run: Run) -> Iterator[Change]:
    """Make the calls of a run, and write nothing."""
    ids = list(db.session.scalars(select(Image.id).where(run.among()).order_by(Image.id)))
    db.session.remove()
    for image_id in ids:
        image = db.session.get(Image, image_id)
        db.session.remove()
        if image is not None:
            image.caption_asked = dict(run.wish)  # of a copy in memory that nobody writes back
            yield _try(image)


def _try(image: Image) -> Change:
    assert parts.captioner is not None
    try:
        made = prompts.steered(image, parts.captioner).caption(caption.medium(image.id))
    except CaptionError as error:
        return Change(image.id, image.original_name, image.caption, None, f"{error.code}: {error.message}")
    except MissingObject:
        return Change(image.id, image.original_name, image.caption, None, "its medium thumbnail is missing")
    return Change(image.id, image.original_name, image.caption, made.text)


@dataclass(frozen=True, slots=True)
class Rewriting:
    """How to change captions: texts to replace, what to put before and behind.

    Doing it again changes nothing: what begins or ends so already stays, and no text within its own
    replacement is replaced.
    """

    prefix: str = ""
    suffix: str = ""
    replacements: Sequence[tuple[str, str]] = ()

    def apply(self, text: str) -> str:
        """Return a caption as it is to be."""
        for old, new in self.replacements:
            kept = text.split(new) if new and old in new else [text]
            text = new.join(part.replace(old, new) for part in kept)
        text = text if text.startswith(self.prefix) else self.prefix + text
        return text if text.endswith(self.suffix) else text + self.suffix


def rewrite(chosen: Selection, rewriting: Rewriting, *, dry_run: bool) -> Iterator[Change]:
    """Rewrite the captions of the chosen pictures, each of which is a person's then; yields what changes."""
    for row in walk(chosen, (Image.original_name, Image.caption)):
        if row.caption is None or (after := rewriting.apply(row.caption).strip()) == row.caption:
            continue
        yield _edit(row, {"caption": after}, row.caption, after, dry_run)


def label(chosen: Selection, add: Sequence[str], remove: Sequence[str], *, dry_run: bool) -> Iterator[Change]:
    """Add labels to the chosen pictures, and take others away; yields what changes."""
    for row in walk(chosen, (Image.original_name, Image.labels, Image.caption)):
        after = list(dict.fromkeys([*(name for name in row.labels if name not in remove), *add]))
        if after != row.labels:
            yield _edit(row, {"labels": after}, ", ".join(row.labels), ", ".join(after), dry_run)


def _edit(row: Any, changes: Mapping[str, Any], before: str, after: str, dry_run: bool) -> Change:
    """Write a change, unless somebody else has changed the picture since it was read."""

    def refuse_changed(image: Image) -> None:
        if any(getattr(image, name) != getattr(row, name) for name in changes):
            raise Conflict("Somebody has just changed it.")

    fault = None
    try:
        if not dry_run:
            editing.edit(row.id, changes, refuse_changed)
    except (Conflict, ImageNotFound, InvalidParameter) as error:
        fault = error.message
    return Change(row.id, row.original_name, before, after, fault)
