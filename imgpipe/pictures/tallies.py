"""Keep the running totals in the transactions of what they count."""

import random
import threading
from typing import cast
from uuid import UUID

from sqlalchemy import Table, bindparam, case, func, select, update
from sqlalchemy.orm import Session

from imgpipe.database.models import Image, Tally, Thumbnail

TALLIES = cast(Table, Tally.__table__)
SHARDS = 8
_SUMS = ("total", "success", "failed", "worked_ms", "stored_bytes")
_ADD = (
    update(TALLIES)
    .where(TALLIES.c.shard == bindparam("own"))
    .values({name: TALLIES.c[name] + bindparam(f"more_{name}", 0) for name in _SUMS})
)
_own = threading.local()


def count(session: Session, **changes: int) -> None:
    """Add to the totals by name: total, success, failed, worked_ms, stored_bytes; part of the transaction."""
    if any(changes.values()):
        more = {f"more_{name}": change for name, change in changes.items()}
        session.execute(_ADD, {**more, "own": _shard()})


def _shard() -> int:
    """Return this thread's own: a transaction that took two could meet another that takes them the other way.

    A writer waits for another's commit in one of eight cases only.
    """
    if not hasattr(_own, "shard"):
        _own.shard = random.randrange(SHARDS)
    shard: int = _own.shard
    return shard


def stored_bytes(session: Session, image_id: UUID) -> int:
    """Sum up the bytes of a picture's files: its original, unless it is discarded, and its derivatives."""
    derived = select(func.sum(Thumbnail.size_bytes)).where(Thumbnail.image_id == image_id).scalar_subquery()
    kept = case((Image.original_key.is_(None), 0), else_=Image.size_bytes)
    return session.scalar(select(func.coalesce(derived, 0) + kept).where(Image.id == image_id)) or 0
