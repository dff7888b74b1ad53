"""Offer the database queue to executors: every call in an app context of its own."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from flask import Flask

from imgpipe import logs
from imgpipe.database import outages
from imgpipe.jobs.protocol import Claim
from imgpipe.pictures import lifecycle, queue

Stage = Callable[[Claim], None]
AWAY_PAUSE_S = 2.0  # before work that found the database away is due again
LOOK_S = 0.5
log = logging.getLogger(__name__)


class DatabaseBacklog:
    """Claim from the database and run the stage's function; ``stages`` maps names to functions."""

    def __init__(self, app: Flask, stages: Mapping[str, Stage], lease_s: float) -> None:
        self._app = app
        self._stages = stages
        self._lease_s = lease_s

    def due(self) -> Sequence[str]:
        """Name the lanes in which some work is due now."""
        with self._app.app_context():
            return queue.due()

    def claim(self, lane: str) -> Claim | None:
        """Take the work that has been due the longest, or None."""
        with self._app.app_context():
            return queue.claim(lane, self._lease_s)

    def renew(self, claims: Sequence[Claim]) -> None:
        """Push the ends of the leases ahead."""
        with self._app.app_context():
            queue.renew(claims, self._lease_s)

    def release(self, claims: Sequence[Claim]) -> None:
        """Give work back, due at once."""
        with self._app.app_context():
            queue.release(claims)

    def run(self, claim: Claim) -> None:
        """Do the work; what goes wrong without a name counts as a crash of this picture's work."""
        with self._app.app_context(), logs.about(str(claim.image_id)):
            try:
                self._run(claim)
            except Exception as error:
                if outages.is_away(error):
                    log.warning("the database is away, the work is given back: %s", outages.reason(error))
                    self._until_answered(lambda: queue.postpone(claim, AWAY_PAUSE_S))
                else:
                    log.exception("stage %s failed unexpectedly", claim.stage)
                    self._until_answered(lambda: queue.leave_as_crashed(claim))

    def _run(self, claim: Claim) -> None:
        if claim.crashes >= lifecycle.MAX_CRASHES:
            log.error("given up after %d crashes", claim.crashes)
            lifecycle.abandon(claim)
        else:
            self._stages[claim.stage](claim)

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
