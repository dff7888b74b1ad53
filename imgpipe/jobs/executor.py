"""Hold what one process has claimed: take it, do it, renew it, give it back; by whichever threads."""

import logging
import os
import threading
import time

from imgpipe.jobs.periodic import Periodic
from imgpipe.jobs.protocol import Backlog, Claim

AWAY_S = 1.0  # before a database that is away is asked again
SHORTEST_STALL_S, LONGEST_STALL_S = 0.25, 8.0
log = logging.getLogger(__name__)


class Executor:
    """One process's part of the queue; every method may be called from any thread.

    A lane whose work is given back without having got on slows down: its threads pause, from a quarter of a
    second doubling to 8 s, until something gets on again.
    """

    def __init__(self, backlog: Backlog, lease_s: float, periodic: Periodic | None = None) -> None:
        self._backlog = backlog
        self.periodic = periodic
        self.lease_s = lease_s
        self._claims: set[Claim] = set()
        self._gate = threading.Lock()  # nobody claims unseen while a stop counts what is held
        self._begin = threading.Lock()
        self._closing = threading.RLock()
        self._stop = threading.Event()
        self._stalls: dict[str, int] = {}
        self._pid: int | None = None

    @property
    def started(self) -> bool:
        """Tell whether this very process works, not one it was forked from."""
        return self._pid == os.getpid()

    @property
    def stopping(self) -> bool:
        """Tell whether the process is about to end."""
        return self._stop.is_set()

    def begin(self) -> bool:
        """Begin in this process; False where it has begun before, or is about to end."""
        with self._begin:
            if self.started or self.stopping:
                return False
            self._pid = os.getpid()
            return True

    def wait(self, seconds: float) -> bool:
        """Sleep, unless the process is about to end; tell whether it is."""
        return self._stop.wait(seconds)

    def due(self) -> list[str]:
        """Name the lanes in which some work is due now."""
        return list(self._backlog.due())

    def work(self, lane: str) -> bool:
        """Do one piece of work of a lane; returns whether there was any."""
        claim = self._claim(lane)
        if claim is None:
            return False
        try:
            got_on = self._backlog.run(claim)
        finally:
            self._claims.discard(claim)
        self._stalls[lane] = 0 if got_on else self._stalls.get(lane, 0) + 1
        if not got_on:
            self.wait(stall_s(self._stalls[lane]))
        return True

    def renew(self) -> None:
        """Push the ends of the leases ahead."""
        self._backlog.renew(self._held())

    def do_periodic(self) -> None:
        """Do what nobody waits for, if it is time; whatever goes wrong is logged."""
        try:
            if self.periodic:
                self.periodic.do()
        except Exception as error:
            if not self.stopping:
                log.warning("a periodic task failed: %s", type(error).__name__)

    def close(self, finish_s: float = 0.0) -> None:
        """Take no more work, let what ends within ``finish_s`` end, and give the rest back.

        Who calls it while another thread does so returns behind that one: the process may be left then.
        """
        self._stop.set()
        with self._closing:
            self._give_back(finish_s)

    def _give_back(self, finish_s: float) -> None:
        deadline = time.monotonic() + finish_s
        while self._claims and time.monotonic() < deadline:
            time.sleep(0.01)
        with self._gate:
            claims = self._held()
            self._claims.clear()
        if not claims:
            return
        try:
            self._backlog.release(claims)
        except Exception as error:  # the leases will run out
            log.warning("work could not be given back: %s", type(error).__name__)

    def _claim(self, lane: str) -> Claim | None:
        with self._gate:
            claim = None if self.stopping else self._backlog.claim(lane)
            if claim:
                self._claims.add(claim)
            return claim

    def _held(self) -> list[Claim]:
        return list(self._claims.copy())


def stall_s(times: int) -> float:
    """Return how long to pause after work was given back ``times`` times in a row without getting on, s."""
    return min(SHORTEST_STALL_S * float(2 ** min(times - 1, 10)), LONGEST_STALL_S)
