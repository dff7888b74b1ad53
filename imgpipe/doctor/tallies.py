"""Compare the running totals with a recount."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Subquery, case, func, select, true, update

from imgpipe.database.engine import db, writing
from imgpipe.database.models import Image, Tally, Thumbnail

NAMES = ("total", "success", "failed", "worked_ms", "stored_bytes")


def find_wrong() -> Iterator[str]:
    """Yield ``name: kept instead of counted`` for each total that is wrong."""
    kept = select(
        *(func.coalesce(func.sum(getattr(Tally, name)), 0).label(name) for name in NAMES)
    ).subquery()
    counted = _counted()
    # One statement, so that both see the same moment.
    both = kept.join(counted, true())
    row = db.session.execute(select(*kept.c, *counted.c).select_from(both)).one()
    db.session.rollback()
    numbers = zip(NAMES, row[: len(NAMES)], row[len(NAMES) :], strict=True)
    yield from (f"{name}: {kept} instead of {found}" for name, kept, found in numbers if kept != found)


def recount(cases: Sequence[str]) -> int:
    """Replace the totals by a recount, all of them at once; returns how many were wrong.

    The shards are locked first: whoever has changed one has committed by then, and whoever is about to
    waits, and changes what was counted without him.
    """
    with writing(durable=True) as session:
        session.execute(select(Tally.shard).with_for_update()).all()
        counted = session.execute(select(*_counted().c)).one()
        values = {name: case((Tally.shard == 0, getattr(counted, name)), else_=0) for name in NAMES}
        session.execute(update(Tally).values(**values))
    return len(cases)


def _counted() -> Subquery:
    success = Image.status == "success"
    return select(
        func.count().label("total"),
        func.count(case((success, 1))).label("success"),
        func.count(case((Image.status == "failed", 1))).label("failed"),
        func.coalesce(func.sum(case((success, Image.worked_ms))), 0).label("worked_ms"),
        (
            func.coalesce(func.sum(case((Image.original_key.is_not(None), Image.size_bytes))), 0)
            + func.coalesce(select(func.sum(Thumbnail.size_bytes)).scalar_subquery(), 0)
        ).label("stored_bytes"),
    ).subquery()
