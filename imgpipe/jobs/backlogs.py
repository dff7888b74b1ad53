"""Let an executor see several backlogs as one: a lane is looked through in each of them, in their order."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import groupby

from imgpipe import logs
from imgpipe.jobs.protocol import Backlog, Claim

Context = Callable[[], AbstractContextManager[object]]


class Backlogs:
    """Pass every call on to the backlogs of a lane, or to the one of a claim's stage, each in a context.

    The first backlog of a lane goes before the others: what stands behind it is for idle hours.
    """

    def __init__(
        self, by_lane: Mapping[str, Sequence[Backlog]], by_stage: Mapping[str, Backlog], context: Context
    ) -> None:
        self._by_lane = by_lane
        self._by_stage = by_stage
        self._context = context

    def due(self) -> Sequence[str]:
        """Name the lanes in which some work is due now."""
        backlogs = {id(backlog): backlog for own in self._by_lane.values() for backlog in own}
        with self._context():
            return list(dict.fromkeys(lane for backlog in backlogs.values() for lane in backlog.due()))

    def claim(self, lane: str) -> Claim | None:
        """Take the work that has been due the longest, or None."""
        with self._context():
            claims = (backlog.claim(lane) for backlog in self._by_lane[lane])
            return next(filter(None, claims), None)

    def run(self, claim: Claim) -> bool:
        """Do the work and record how it ended; False where what comes next would get no further either."""
        with self._context(), logs.tagged(str(claim.image_id)):
            return self._by_stage[claim.stage].run(claim)

    def renew(self, claims: Sequence[Claim]) -> None:
        """Push the ends of the leases ahead."""
        with self._context():
            for backlog, own in self._parted(claims):
                backlog.renew(own)

    def release(self, claims: Sequence[Claim]) -> None:
        """Give work back untouched."""
        with self._context():
            for backlog, own in self._parted(claims):
                backlog.release(own)

    def _parted(self, claims: Sequence[Claim]) -> Sequence[tuple[Backlog, Sequence[Claim]]]:
        ordered = sorted(claims, key=lambda claim: id(self._by_stage[claim.stage]))
        groups = groupby(ordered, key=lambda claim: id(self._by_stage[claim.stage]))
        parted = [list(own) for _, own in groups]
        return [(self._by_stage[own[0].stage], own) for own in parted]
