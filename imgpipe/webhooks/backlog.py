"""Offer the outbox to executors as a lane of its own."""

import logging
import time
from collections.abc import Sequence

from imgpipe.database import outages
from imgpipe.jobs.protocol import Claim
from imgpipe.webhooks import queue
from imgpipe.webhooks.delivery import Sender

log = logging.getLogger(__name__)


class WebhookBacklog:
    """Claim deliveries and hand them to the sender."""

    def __init__(self, sender: Sender, lease_s: float) -> None:
        self._sender = sender
        self._lease_s = lease_s

    def due(self) -> Sequence[str]:
        """Name the lane when something is due."""
        return (queue.STAGE,) if queue.due(self._sender.targets, self._lease_s) else ()

    def claim(self, lane: str) -> Claim | None:
        """Take what has been due the longest, or None."""
        return queue.claim(self._sender.targets, self._lease_s)

    def renew(self, claims: Sequence[Claim]) -> None:
        """Push the ends of the leases ahead."""
        queue.renew(claims, self._lease_s)

    def release(self, claims: Sequence[Claim]) -> None:
        """Give deliveries back, due at once."""
        queue.release(claims)

    def run(self, claim: Claim) -> bool:
        """Deliver, and write down how it went; when that fails, the lease ends and it is delivered again.

        Returns False where the database is away.
        """
        try:
            self._run(claim)
        except Exception as error:
            if outages.is_away(error):
                outages.warn(log, error, "the event goes out again")
                return False
            log.exception("a delivery failed unexpectedly")
        return True

    def _run(self, claim: Claim) -> None:
        message = queue.read_message(claim)
        if message is None:
            return
        began = time.perf_counter()
        fault = self._sender.deliver(str(claim.image_id), message)
        took_ms = (time.perf_counter() - began) * 1000
        if fault is None:
            queue.finish(claim, message.target)
            log.info("webhook delivered at try %d after %.0f ms", claim.attempt, took_ms)
        elif queue.put_off(claim, fault):
            log.warning("webhook not delivered at try %d after %.0f ms: %s", claim.attempt, took_ms, fault)
        else:
            log.error("webhook given up after %d tries: %s", claim.attempt, fault)
