"""Look for pictures in a state that no worker would ever end."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, or_, select, update

from imgpipe.clock import utc_now
from imgpipe.database.engine import writing
from imgpipe.database.models import Image
from imgpipe.database.walk import walk
from imgpipe.extensions import parts
from imgpipe.pictures.queue import CAPTION, PAUSED, RENDER

OVERDUE_S = 600.0
OVERDUE_LEASES = 10
AHEAD_S = 3600.0  # no retry is put off that long; a clock that was wrong does it


def find_stuck() -> Iterator[str]:
    """Yield the ids of pictures that are processing without work, or have work without processing."""
    return _find(or_(*(condition for condition, _ in _remedies())))


def free(ids: Sequence[str]) -> int:
    """Give the pictures a state that leads to an end; returns how many."""
    with writing(durable=True) as session:
        for condition, values in _remedies():
            session.execute(update(Image).where(_among(ids), condition).values(**values, running=False))
    return len(ids)


def find_overdue() -> Iterator[str]:
    """Yield the ids of pictures whose work, claimed or not, has been due for long: nobody works."""
    return _find(_overdue())


def release(ids: Sequence[str]) -> int:
    """Take the work from whoever claimed it, without counting a crash; returns how many."""
    with writing(durable=True) as session:
        values = {"running": False, "due_at": utc_now()}
        session.execute(update(Image).where(_among(ids), _overdue()).values(**values))
    return len(ids)


def _remedies() -> Sequence[tuple[ColumnElement[bool], dict[str, Any]]]:
    """Pair each contradiction with the values that resolve it."""
    now = utc_now()
    rendered = Image.facts.is_not(None)
    unplanned = or_(Image.due_at.is_(None), Image.due_at > now + timedelta(seconds=AHEAD_S))
    ended = or_(Image.status == "failed", and_(Image.status == "success", Image.stage == RENDER))
    return (
        (ended & Image.stage.is_not(None), {"stage": None, "due_at": None}),
        (
            and_(Image.status == "processing", Image.stage.is_(None)),
            {"stage": case((rendered, CAPTION), else_=RENDER), "due_at": now, "crashes": 0},
        ),
        (Image.stage.is_not(None) & unplanned, {"due_at": now}),
    )


def _overdue() -> ColumnElement[bool]:
    limit_s = max(OVERDUE_S, OVERDUE_LEASES * parts.settings.lease_s)
    # What waits for a pause to end may wait for long, and is well.
    return and_(
        Image.stage.is_not(None), Image.stage != PAUSED, Image.due_at < utc_now() - timedelta(seconds=limit_s)
    )


def _find(condition: ColumnElement[bool]) -> Iterator[str]:
    for rows in walk(select(Image.id).where(condition)):
        yield from (str(row.id) for row in rows)


def _among(ids: Sequence[str]) -> ColumnElement[bool]:
    return Image.id.in_([UUID(id) for id in ids])
