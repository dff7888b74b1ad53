"""Work on the queue with a ThreadPoolExecutor per stage, in every web process.

The database is the queue; these threads hold only what they are doing. A look-out thread asks the
database four times a second for work that other processes queued and for leases that ran out, and
renews the leases of what is running here.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from imgpipe.jobs.protocol import Backlog, Claim

LOOK_S = 0.25
FINISH_S = 0.5  # what a stop grants to work that is nearly done
log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")


class _Crew:
    """The threads of one stage, each at one piece of work; nothing else waits in the pool's own queue.

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
    """Run ``workers[stage]`` threads for each stage and one look-out."""

    def __init__(self, backlog: Backlog, workers: Mapping[str, int], lease_s: float) -> None:
        self._backlog = backlog
        self._workers = workers
        self._lease_s = lease_s
        self._running: set[Claim] = set()
        self._gate = threading.Lock()  # nobody claims unseen while a stop counts what is held
        self._crews: dict[str, _Crew] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._pid: int | None = None
        self._lookout: threading.Thread | None = None

    @property
    def started(self) -> bool:
        """Tell whether this very process works, not one it was forked from."""
        return self._pid == os.getpid()

    @property
    def stopping(self) -> bool:
        """Tell whether the process is about to end."""
        return self._stop.is_set()

    def start(self) -> None:
        """Start the threads of this process, once; after a fork the child starts its own."""
        if self.started:
            return
        with self._lock:
            if self.started or self.stopping:
                return
            self._pid = os.getpid()
            self._crews = {
                stage: _Crew(stage, count, partial(self._work, stage))
                for stage, count in self._workers.items()
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
        self._stop.set()
        deadline = time.monotonic() + FINISH_S
        while self._running and time.monotonic() < deadline:
            time.sleep(0.01)
        with self._gate:
            self._steadily(self._backlog.release, self._held())
        for crew in self._crews.values():
            crew.pool.shutdown(wait=False, cancel_futures=True)

    def _work(self, stage: str) -> bool:
        """Do one piece of work; returns whether there was any."""
        claim = self._claim(stage)
        if claim:
            self._do(claim)
        return claim is not None

    def _claim(self, stage: str) -> Claim | None:
        with self._gate:
            claim = None if self.stopping else self._steadily(self._backlog.claim, stage)
            if claim:
                self._running.add(claim)
            return claim

    def _do(self, claim: Claim) -> None:
        try:
            self._backlog.run(claim)
        except Exception:
            log.exception("a worker was surprised")
        finally:
            self._running.discard(claim)

    def _look_out(self) -> None:
        renewed = time.monotonic()
        while not self._stop.wait(LOOK_S):
            for stage in self._steadily(self._backlog.due) or ():
                for _ in range(self._workers.get(stage, 0)):
                    self._crews[stage].rouse()
            if time.monotonic() - renewed > self._lease_s / 3:
                renewed = time.monotonic()
                self._steadily(self._backlog.renew, self._held())

    def _held(self) -> list[Claim]:
        return list(self._running.copy())

    def _steadily(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Call, and outlive a database that is away: log it, and let the look-out ask again."""
        try:
            return act(*args, **kwargs)
        except Exception as error:
            if not self.stopping:
                log.warning("the queue is out of reach: %s", type(error).__name__)
                self._stop.wait(1)
            return None
