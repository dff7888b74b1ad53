"""Look for files that no row names, and for originals that are gone."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from uuid import UUID

import numpy as np
from sqlalchemy import select

from imgpipe.database.engine import db
from imgpipe.database.models import Image, Thumbnail
from imgpipe.database.walk import walk
from imgpipe.errors import ImgpipeError
from imgpipe.extensions import parts
from imgpipe.pictures import repair

YOUNG_S = 3600.0  # a file is written before its row
BATCH = 500
SAMPLE = 100
# What this service writes; whatever else lies there is not ours to judge.
_OURS = re.compile(
    r"(?:originals|derivatives)/[0-9a-f]{2}/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})[.-].+"
)
_LITTER = re.compile(r"(?:.*/)?(?:ping-[0-9a-f]{32}|[0-9a-f]{32}\.part)")


class ForeignStorage(ImgpipeError):
    """Database and storage have nothing in common: one of them is presumably the wrong one."""

    code = "estranged"
    sentence = "Not one file that the database names is in the storage: is it the right one, and mounted?"


class Listing:
    """Remember which keys the storage holds, at 8 bytes each."""

    def __init__(self) -> None:
        stored = parts.storage.keys()
        self._hashes = np.sort(np.fromiter((hash(key) for key, _ in stored), np.int64))

    def __len__(self) -> int:
        return len(self._hashes)

    def lacks(self, key: str) -> bool:
        """Tell whether the key is missing; what has come since the listing is not."""
        place = int(np.searchsorted(self._hashes, hash(key)))
        listed = place < len(self) and self._hashes[place] == hash(key)
        return not listed and not parts.storage.exists(key)


def find_orphans() -> Iterator[str]:
    """Yield the keys of files, none of them young, that no row names and nobody is at work on."""
    stored = parts.storage.keys()
    old = (key for key, age_s in stored if age_s > YOUNG_S)
    while batch := list(islice(old, BATCH)):
        yield from filter(_LITTER.fullmatch, batch)
        owners = {key: UUID(match[1]) for key in batch if (match := _OURS.fullmatch(key))}
        named, busy = _named_by(list(owners.values()))
        yield from (key for key, owner in owners.items() if key not in named and owner not in busy)


def delete_orphans(keys: Sequence[str]) -> int:
    """Delete the files; returns how many."""
    for key in keys:
        parts.storage.delete(key)
    return len(keys)


def find_missing_originals() -> Iterator[str]:
    """Yield the ids of pictures at rest whose original is gone."""
    listing = Listing()
    statement = select(Image.id, Image.original_key)
    for rows in walk(statement.where(Image.stage.is_(None), Image.original_key.is_not(None))):
        yield from (str(row.id) for row in rows if listing.lacks(row.original_key))


def forget_originals(ids: Sequence[str]) -> int:
    """Say of the originals what is true, that they were not kept; returns how many."""
    repair.forget_originals([UUID(id) for id in ids])
    return len(ids)


def refuse_strangers() -> None:
    """Refuse to mend when the newest pictures have not one file in the storage, or its files no picture.

    A storage that isn't mounted, or a database of another installation, would look like a great loss,
    and mending would make it one. Raises: ``ForeignStorage``.
    """
    newest = select(Image.id).order_by(Image.id.desc()).limit(SAMPLE)
    named, _ = _named_by(list(db.session.scalars(newest)))
    stored = parts.storage.keys()
    expected = named or any(_OURS.fullmatch(key) for key, _ in stored)
    if expected and not any(map(parts.storage.exists, named)):
        raise ForeignStorage


def _named_by(ids: Sequence[UUID]) -> tuple[set[str], set[UUID]]:
    """Return the keys that the pictures' rows name, and those pictures that have work."""
    images = db.session.execute(
        select(Image.id, Image.original_key, Image.stage).where(Image.id.in_(ids))
    ).all()
    keys = set(db.session.scalars(select(Thumbnail.key).where(Thumbnail.image_id.in_(ids))))
    db.session.rollback()
    keys.update(row.original_key for row in images if row.original_key)
    return keys, {row.id for row in images if row.stage}
