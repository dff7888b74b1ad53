"""Work on the queue with a ThreadPoolExecutor per lane, in every web process.

The database is the queue; these threads hold only what they are doing. A look-out thread asks the
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
from imgpipe.jobs.protocol import Backlog

LOOK_S = 0.25
FINISH_S = 0.5  # what a stop grants to work that is nearly done
log = logging.getLogger(__name__)


class _Crew:
    """The threads of one lane, each at one piece of work; nothing else waits in the pool's own queue.

    A task is one piece of work and not an endless loop, because the interpreter joins these threads when
    it ends: whoever ends it by another way than a signal (a reloader does) waits for one piece at most.
    """

    def __init__(self, name: str, count: int, task: Callable[[], bool]) -> None:
        self.pool = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._idle = threading.Semaphore(count)
        self._task = task

    def rouse(self) -> None:
        """Put one more thread to work, if one is idle."""
        if self._idle.acquire(blocking=False):
            self._go_on()

    def _go_on(self) -> None:
        with contextlib.suppress(RuntimeError):  # the pool has ended; the work stays in the database
            self.pool.submit(self._step)

    def _step(self) -> None:
        if self._task():
            self._go_on()
        else:
            self._idle.release()


class ThreadJobs:
    """Run ``workers[lane]`` threads for each lane and one look-out."""

    def __init__(self, backlog: Backlog, workers: Mapping[str, int], lease_s: float) -> None:
        self._executor = Executor(backlog, lease_s)
        self._workers = workers
        self._crews: dict[str, _Crew] = {}
        self._lookout: threading.Thread | None = None

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
        self._crews = {
            lane: _Crew(lane, count, partial(self._work, lane)) for lane, count in self._workers.items()
        }
        self._lookout = threading.Thread(target=self._look_out, name="look-out", daemon=True)
        self._lookout.start()

    def wake(self, lane: str) -> None:
        """Rouse a thread of this process; those of others look by themselves."""
        if lane in self._crews:
            self._crews[lane].rouse()

    def ping(self) -> None:
        """Raise ``OSError`` when the look-out has died."""
        if self._lookout is not None and not self._lookout.is_alive() and not self.stopping:
            raise OSError("the look-out thread has ended")

    def close(self) -> None:
        """Let what is nearly done finish, give the rest back, and leave the threads to their end."""
        self._executor.close(FINISH_S)
        for crew in self._crews.values():
            crew.pool.shutdown(wait=False, cancel_futures=True)

    def _work(self, lane: str) -> bool:
        return self._outlive("work failed", lambda: self._executor.work(lane))

    def _look_out(self) -> None:
        renewed = time.monotonic()
        while not self._executor.wait(LOOK_S):
            self._outlive("the queue is out of reach", self._rouse_all)
            if time.monotonic() - renewed > self._executor.lease_s / 3:
                renewed = time.monotonic()
                self._outlive("leases could not be renewed", self._renew)

    def _rouse_all(self) -> bool:
        for lane in self._executor.due():
            for _ in range(self._workers.get(lane, 0)):
                self.wake(lane)
        return True

    def _renew(self) -> bool:
        self._executor.renew()
        return True

    def _outlive(self, line: str, act: Callable[[], bool]) -> bool:
        """Act, and outlive whatever goes wrong: log it, and let the look-out ask again."""
        try:
            return act()
        except Exception as error:
            if not self.stopping:
                log.warning("%s: %s", line, type(error).__name__)
                self._executor.wait(AWAY_S)
            return False
