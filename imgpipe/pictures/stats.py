"""Sum up the tallies into statistics: the same cost for ten pictures as for ten million."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select

from imgpipe.clock import utc_now
from imgpipe.database.engine import db
from imgpipe.database.lookup import Lookup
from imgpipe.database.models import Image, Tally
from imgpipe.pictures.queue import LANES

_SUMMED = (Tally.total, Tally.success, Tally.failed, Tally.worked_ms)
_TOTALS = Lookup(select(*map(func.sum, _SUMMED)))


@dataclass(frozen=True, slots=True)
class Totals:
    """Count pictures by how they ended; ``worked_ms`` is the time worked on the successful ones."""

    total: int
    success: int
    failed: int
    worked_ms: int

    @property
    def total_images(self) -> int:
        """Return ``total`` under its other name in use."""
        return self.total

    @property
    def successful(self) -> int:
        """Return ``success`` under its other name in use."""
        return self.success

    @property
    def processing(self) -> int:
        """Return how many are queued or running."""
        return self.total - self.success - self.failed

    @property
    def success_rate(self) -> float:
        """Return the successful ones in percent of all, one decimal; 0.0 when there are none."""
        return self._percent(self.success)

    @property
    def failure_rate(self) -> float:
        """Return the failed ones in percent of all, one decimal; 0.0 when there are none."""
        return self._percent(self.failed)

    @property
    def average_ms(self) -> float | None:
        """Return the mean time worked on a successful picture, ms, or None when there is none."""
        return self.worked_ms / self.success if self.success else None

    def _percent(self, part: int) -> float:
        return round(100 * part / self.total, 1) if self.total else 0.0


def totals() -> Totals:
    """Read the statistics of all pictures."""
    sums = _TOTALS.find() or ()
    return Totals(*(int(total or 0) for total in sums))


class Waiting(NamedTuple):
    """How much work is in a stage, and for how long the oldest of it has been due, s; 0 when nothing is."""

    depth: int
    oldest_s: float


def queues() -> Mapping[str, Waiting]:
    """Look at the queue of every stage; the cost is that of the work that waits, not of all pictures."""
    columns = (Image.stage, func.count(), func.min(Image.due_at))
    found = db.session.execute(select(*columns).where(Image.stage.is_not(None)).group_by(Image.stage))
    waiting = {stage: Waiting(count, _age_s(oldest)) for stage, count, oldest in found}
    return {stage: waiting.get(stage, Waiting(0, 0.0)) for stages in LANES.values() for stage in stages}


def _age_s(due_at: datetime | None) -> float:
    return max((utc_now() - due_at).total_seconds(), 0.0) if due_at else 0.0


def stored_bytes() -> int:
    """Return the bytes of all originals and derivatives together."""
    return int(db.session.scalar(select(func.coalesce(func.sum(Tally.stored_bytes), 0))) or 0)
