"""Work on the queue with a ThreadPoolExecutor per lane, in every web process.

The database is the queue; these threads hold only what they are doing. A poller thread asks the
database four times a second for work that other processes queued and for leases that ran out, and
renews the leases of what is running here.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from imgpipe.jobs.executor import AWAY_S, Executor
from imgpipe.jobs.periodic import Periodic
from imgpipe.jobs.protocol import Backlog

LOOK_S = 0.25
FINISH_S = 0.5  # what a stop grants to work that is nearly done
log = logging.getLogger(__name__)


class _Pool:
    """The threads of one lane, each at one piece of work; nothing else waits in the pool's own queue.

    A task is one piece of work and not an endless loop, because the interpreter joins these threads when
    it ends: whoever ends it by another way than a signal (a reloader does) waits for one piece at most.
    """

    def __init__(self, name: str, count: int, task: Callable[[], bool]) -> None:
        self.threads = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._idle = threading.Semaphore(count)
        self._task = task

    def wake(self) -> None:
        """Put one more thread to work, if one is idle."""
        if self._idle.acquire(blocking=False):
            self._go_on()

    def _go_on(self) -> None:
        with contextlib.suppress(RuntimeError):  # the pool has ended; the work stays in the database
            self.threads.submit(self._step)

    def _step(self) -> None:
        if self._task():
            self._go_on()
        else:
            self._idle.release()


class ThreadJobs:
    """Run ``workers[lane]`` threads for each lane and one poller, which also does the ``periodic`` task."""

    def __init__(
        self, backlog: Backlog, workers: Mapping[str, int], lease_s: float, periodic: Periodic | None = None
    ) -> None:
        self._executor = Executor(backlog, lease_s, periodic)
        self._workers = workers
        self._pools: dict[str, _Pool] = {}
        self._poller: threading.Thread | None = None

    @property
    def started(self) -> bool:
        """Tell whether this very process works, not one it was forked from."""
        return self._executor.started

    @property
    def stopping(self) -> bool:
        """Tell whether the process is about to end."""
        return self._executor.stopping

    def start(self) -> None:
        """Start the threads of this process, once; after a fork the child starts its own."""
        if self.started or not self._executor.begin():
            return
        self._pools = {
            lane: _Pool(lane, count, partial(self._work, lane)) for lane, count in self._workers.items()
        }
        self._poller = threading.Thread(target=self._poll, name="poller", daemon=True)
        self._poller.start()

    def wake(self, lane: str) -> None:
        """Rouse a thread of this process; those of others look by themselves."""
        if lane in self._pools:
            self._pools[lane].wake()

    def ping(self) -> None:
        """Raise ``OSError`` when the poller has died."""
        if self._poller is not None and not self._poller.is_alive() and not self.stopping:
            raise OSError("the poller thread has ended")

    def close(self) -> None:
        """Let what is nearly done finish, give the rest back, and leave the threads to their end."""
        self._executor.close(FINISH_S)
        for pool in self._pools.values():
            pool.threads.shutdown(wait=False, cancel_futures=True)

    def _work(self, lane: str) -> bool:
        return self._log_faults("work failed", lambda: self._executor.work(lane))

    def _poll(self) -> None:
        renewed = time.monotonic()
        while not self._executor.wait(LOOK_S):
            self._log_faults("the queue is out of reach", self._wake_all)
            if time.monotonic() - renewed > self._executor.lease_s / 3:
                renewed = time.monotonic()
                self._log_faults("leases could not be renewed", self._renew)
            self._executor.do_periodic()

    def _wake_all(self) -> bool:
        for lane in self._executor.due():
            for _ in range(self._workers.get(lane, 0)):
                self.wake(lane)
        return True

    def _renew(self) -> bool:
        self._executor.renew()
        return True

    def _log_faults(self, line: str, act: Callable[[], bool]) -> bool:
        """Act, and log whatever goes wrong; let the poller ask again."""
        try:
            return act()
        except Exception as error:
            if not self.stopping:
                log.warning("%s: %s", line, type(error).__name__)
                self._executor.wait(AWAY_S)
            return False
