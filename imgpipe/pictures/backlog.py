"""Offer the database queue to executors: every call in an app context of its own."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from flask import Flask
from sqlalchemy.exc import InterfaceError, OperationalError

from imgpipe import logs
from imgpipe.jobs.protocol import Claim
from imgpipe.pictures import lifecycle

Stage = Callable[[Claim], None]
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
            return lifecycle.due()

    def claim(self, lane: str) -> Claim | None:
        """Take the work that has been due the longest, or None."""
        with self._app.app_context():
            return lifecycle.claim(lane, self._lease_s)

    def renew(self, claims: Sequence[Claim]) -> None:
        """Push the ends of the leases ahead."""
        with self._app.app_context():
            lifecycle.renew(claims, self._lease_s)

    def release(self, claims: Sequence[Claim]) -> None:
        """Give work back, due at once."""
        with self._app.app_context():
            lifecycle.release(claims)

    def run(self, claim: Claim) -> None:
        """Do the work; what goes wrong without a name counts as a crash of this picture's work."""
        with self._app.app_context(), logs.about(str(claim.image_id)):
            if claim.crashes >= lifecycle.MAX_CRASHES:
                log.error("given up after %d crashes", claim.crashes)
                lifecycle.abandon(claim)
                return
            try:
                self._stages[claim.stage](claim)
            except (OperationalError, InterfaceError) as error:
                log.warning("the database went away, the work is given back: %s", type(error).__name__)
                self._give_back(claim)
            except Exception:
                log.exception("stage %s failed unexpectedly", claim.stage)
                lifecycle.stumble(claim)

    def _give_back(self, claim: Claim) -> None:
        """Release once the database is back; after a lease without it the row falls due by itself."""
        deadline = time.monotonic() + self._lease_s
        while time.monotonic() < deadline:
            try:
                return lifecycle.release([claim])
            except (OperationalError, InterfaceError):
                time.sleep(0.5)
        return None
