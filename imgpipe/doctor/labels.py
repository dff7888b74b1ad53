"""Compare the counts of the labels with the pictures that have them."""

from collections.abc import Iterator, Sequence

from sqlalchemy import func, select, update

from imgpipe.database.engine import db, writing
from imgpipe.database.labelmodels import Label, LabelledPicture

_counted = select(func.count()).where(LabelledPicture.label == Label.name).correlate(Label).scalar_subquery()


def find_wrong() -> Iterator[str]:
    """Yield the labels that say another count than there are pictures."""
    wrong = list(db.session.scalars(select(Label.name).where(Label.pictures != _counted)))
    db.session.rollback()
    yield from wrong


def recount(names: Sequence[str]) -> int:
    """Count the pictures of the labels again; returns how many labels."""
    with writing(durable=True) as session:
        session.execute(update(Label).where(Label.name.in_(names)).values(pictures=_counted))
    return len(names)
