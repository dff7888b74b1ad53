"""Sum up the tallies into statistics: the same cost for ten pictures as for ten million."""

from dataclasses import dataclass

from sqlalchemy import func, select

from imgpipe.database.engine import db
from imgpipe.database.models import Tally


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
    columns = (Tally.total, Tally.success, Tally.failed, Tally.worked_ms)
    row = db.session.execute(select(*(func.coalesce(func.sum(column), 0) for column in columns))).one()
    return Totals(*map(int, row))
