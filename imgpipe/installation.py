"""Say once, when the schema is brought up to date, which storage is this installation's."""

from sqlalchemy import select

from imgpipe.database.engine import db
from imgpipe.database.models import Image, Thumbnail
from imgpipe.extensions import parts
from imgpipe.storage.protocol import MARK, Storage

SAMPLE = 100  # pictures at each end, one of whose files has to be there


def establish() -> str | None:
    """Mark the storage as ours where it is new; where rows name files, only if one of these is there.

    Returns None, or why the storage is not taken for ours, for the operator to read.
    Raises: ``OSError`` of a storage that is away, and what the database raises.
    """
    ours, store = parts.storage.expected(), bare_storage()
    found = store.read_mark()
    if found == ours:
        return None
    if found is not None:
        return f"expected the files of this installation, {ours}; its {MARK} names another, {found!r}"
    keys = _known_keys()
    if keys and not any(store.exists(key) for key in keys):
        return f"expected the files of this installation; of {len(keys)} that it knows none is there"
    store.write_mark(ours)
    return None


def take_over() -> None:
    """Mark the storage as ours whosever it was: its files have been copied, or its rows."""
    bare_storage().write_mark(parts.storage.expected())


def bare_storage() -> Storage:
    """Return the storage that lies under the mark, for whoever fills it before it is marked."""
    return parts.storage.store


def _known_keys() -> list[str]:
    """Name files of the oldest and of the newest pictures."""
    keys: list[str] = []
    for order in (Image.id, Image.id.desc()):
        ends = select(Image.id).order_by(order).limit(SAMPLE)
        ids = list(db.session.scalars(ends))
        keys += db.session.scalars(select(Thumbnail.key).where(Thumbnail.image_id.in_(ids)))
        keys += filter(None, db.session.scalars(select(Image.original_key).where(Image.id.in_(ids))))
    db.session.rollback()
    return keys
