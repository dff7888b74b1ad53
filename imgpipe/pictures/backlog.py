"""Offer the database queue to executors, and behind it what waits for idle hours."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from imgpipe import metrics
from imgpipe.database import outages
from imgpipe.extensions import parts
from imgpipe.jobs.protocol import Claim
from imgpipe.pictures import backfill, gallery, lifecycle, queue, remaking
from imgpipe.pictures.outcome import Done, Later, Stage

MAX_CRASHES = 3
AWAY_S = 2.0  # before work that found the database away is due again
LOOK_S = 0.5
log = logging.getLogger(__name__)


class DatabaseBacklog:
    """Claim from the database, let the stage of that name decide, and write what it decided."""

    def __init__(self, stages: Mapping[str, Stage], lease_s: float) -> None:
        self._stages = stages
        self._lease_s = lease_s

    def due(self) -> Sequence[str]:
        """Name the lanes in which some work is due now."""
        return queue.due()

    def claim(self, lane: str) -> Claim | None:
        """Take the work that has been due the longest, or None."""
        return queue.claim(lane, self._lease_s)

    def renew(self, claims: Sequence[Claim]) -> None:
        """Push the ends of the leases ahead."""
        queue.renew(claims, self._lease_s)

    def release(self, claims: Sequence[Claim]) -> None:
        """Give work back, due at once."""
        queue.release(claims)

    def run(self, claim: Claim) -> bool:
        """Do the work and record how it ended; what goes wrong without a name counts as a crash of it.

        Returns False where whatever comes next would get no further either.
        """
        try:
            return self._run(claim)
        except Exception as error:
            if outages.is_away(error):
                outages.warn(log, error, "the work is given back")
                self._until_answered(lambda: queue.release([claim], AWAY_S))
                return False
            log.exception("stage %s failed unexpectedly, attempt %d", claim.stage, claim.attempt)
            self._until_answered(lambda: queue.leave_as_crashed(claim))
            return True

    def _run(self, claim: Claim) -> bool:
        stage = self._stages[claim.stage]
        crashed_too_often = claim.crashes >= MAX_CRASHES
        with metrics.STAGE_SECONDS.labels(claim.stage).time():
            outcome = stage.give_up(claim) if crashed_too_often else stage.work(claim)
        if outcome is None:
            return True
        held = lifecycle.settle(claim, outcome)
        if isinstance(outcome, Done):
            _follow_up(claim, outcome, held)
        return not (isinstance(outcome, Later) and outcome.stalled)

    def _until_answered(self, act: Callable[[], object]) -> None:
        """Act once the database is back; after a lease without it the row falls due by itself."""
        deadline = time.monotonic() + self._lease_s
        while time.monotonic() < deadline:
            try:
                act()
                return
            except Exception as error:
                if not outages.is_away(error):
                    raise
                time.sleep(LOOK_S)


def _follow_up(claim: Claim, outcome: Done, held: bool) -> None:
    """Unlink what is not needed, and announce the next stage; a picture deleted meanwhile leaves no file."""
    if not held and lifecycle.exists(claim.image_id):
        return
    for key in outcome.frees if held else outcome.made:
        gallery.discard(key)
    if held and outcome.then:
        parts.jobs.wake(queue.lane_of(outcome.then))


class BackfillBacklog:
    """Give pictures the sizes that they lack, while the lane of the pixels has nothing else to do."""

    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s
        self._has_begun = self._has_ended = False

    def due(self) -> Sequence[str]:
        """Name the lane of the pixels while there is something to do; asks nobody once there is not."""
        if self._has_ended:
            return ()
        if not self._has_begun:
            backfill.begin()
            self._has_begun = True
        due = backfill.is_due(self._lease_s)
        self._has_ended = due is None
        return (queue.RENDER,) if due else ()

    def claim(self, lane: str) -> Claim | None:
        """Take the next few pictures, or None."""
        return backfill.claim(self._lease_s) if self.due() else None

    def renew(self, claims: Sequence[Claim]) -> None:
        """Push the end of the lease ahead."""
        backfill.renew(claims, self._lease_s)

    def release(self, claims: Sequence[Claim]) -> None:
        """Give the work back, due at once."""
        backfill.release(claims)

    def run(self, claim: Claim) -> bool:
        """Go on where the last one stopped; returns False where database or storage is away."""
        try:
            remaking.go_on(claim)
        except Exception as error:
            if outages.is_away(error):  # the lease ends
                outages.warn(log, error, "the backfill waits")
                return False
            if isinstance(error, OSError):
                log.warning("storage is away, the backfill waits: %s", error.strerror)
                backfill.release([claim], AWAY_S)
                return False
            log.exception("the backfill failed unexpectedly, attempt %d", claim.attempt)
            backfill.leave_as_crashed(claim)
        return True
