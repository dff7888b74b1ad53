"""Let an executor see several backlogs as one: each lane belongs to one of them."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from imgpipe.jobs.protocol import Backlog, Claim


class Backlogs:
    """Pass every call on to the backlog that a lane, or a claim's stage, belongs to."""

    def __init__(self, by_lane: Mapping[str, Backlog], by_stage: Mapping[str, Backlog]) -> None:
        self._by_lane = by_lane
        self._by_stage = by_stage

    def due(self) -> Sequence[str]:
        """Name the lanes in which some work is due now."""
        return [lane for backlog in _each(self._by_lane) for lane in backlog.due()]

    def claim(self, lane: str) -> Claim | None:
        """Take the work that has been due the longest, or None."""
        return self._by_lane[lane].claim(lane)

    def run(self, claim: Claim) -> bool:
        """Do the work and record how it ended; False where what comes next would get no further either."""
        return self._by_stage[claim.stage].run(claim)

    def renew(self, claims: Sequence[Claim]) -> None:
        """Push the ends of the leases ahead."""
        for backlog, own in self._parted(claims):
            backlog.renew(own)

    def release(self, claims: Sequence[Claim]) -> None:
        """Give work back untouched."""
        for backlog, own in self._parted(claims):
            backlog.release(own)

    def _parted(self, claims: Sequence[Claim]) -> Sequence[tuple[Backlog, Sequence[Claim]]]:
        ordered = sorted(claims, key=lambda claim: id(self._by_stage[claim.stage]))
        groups = groupby(ordered, key=lambda claim: id(self._by_stage[claim.stage]))
        parted = [list(own) for _, own in groups]
        return [(self._by_stage[own[0].stage], own) for own in parted]


def _each(backlogs: Mapping[str, Backlog]) -> Sequence[Backlog]:
    return list({id(backlog): backlog for backlog in backlogs.values()}.values())
