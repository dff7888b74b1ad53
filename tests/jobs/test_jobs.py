"""Whoever executes the work: each piece once, none lost at a stop, and a lost holder's again."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID, uuid4

import pytest

from imgpipe.jobs.executor import stall_s
from imgpipe.jobs.inline import InlineJobs
from imgpipe.jobs.periodic import Periodic
from imgpipe.jobs.protocol import Claim, Jobs
from imgpipe.jobs.threads import FINISH_S, ThreadJobs

PATIENCE_S = 20.0


class Notebook:
    """A backlog in memory that notes what is asked of it."""

    def __init__(self) -> None:
        self.waiting: list[UUID] = []
        self.done: list[UUID] = []
        self.renewed: list[Claim] = []
        self.released: list[Claim] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.away = False
        self._lock = threading.Lock()

    def due(self) -> Sequence[str]:
        self._answer()
        return ["render"] if self.waiting else []

    def claim(self, lane: str) -> Claim | None:
        self._answer()
        with self._lock:
            return Claim(self.waiting.pop(0), lane, 1) if self.waiting else None

    def run(self, claim: Claim) -> bool:
        self.go_on.wait(PATIENCE_S)
        with self._lock:
            self.done.append(claim.image_id)
        return True

    def renew(self, claims: Sequence[Claim]) -> None:
        self.renewed += claims

    def release(self, claims: Sequence[Claim]) -> None:
        self.released += claims

    def _answer(self) -> None:
        if self.away:
            raise ConnectionError("the database is away")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def hire_inline(backlog: Notebook) -> Jobs:
    return InlineJobs(backlog)


def hire_threads(backlog: Notebook) -> Jobs:
    return ThreadJobs(backlog, {"render": 2}, lease_s=0.3)


@pytest.fixture
def backlog() -> Notebook:
    return Notebook()


@pytest.fixture(params=[hire_inline, hire_threads])
def jobs(request: pytest.FixtureRequest, backlog: Notebook) -> Iterator[Jobs]:
    hired: Jobs = request.param(backlog)
    hired.start()
    yield hired
    backlog.go_on.set()
    hired.close()


@pytest.fixture
def threads(backlog: Notebook) -> Iterator[ThreadJobs]:
    hired = ThreadJobs(backlog, {"render": 2}, lease_s=0.3)
    hired.start()
    yield hired
    backlog.go_on.set()
    hired.close()


def test_what_is_queued_is_done_once_each_after_a_wake(jobs: Jobs, backlog: Notebook) -> None:
    ids = [uuid4() for _ in range(50)]
    backlog.waiting += ids
    jobs.wake("render")
    until(lambda: len(backlog.done) == len(ids))
    assert sorted(backlog.done) == sorted(ids)


def test_a_ping_of_whoever_is_at_work_is_quiet(jobs: Jobs) -> None:
    jobs.ping()


def test_starting_twice_is_fine(jobs: Jobs, backlog: Notebook) -> None:
    jobs.start()
    backlog.waiting.append(uuid4())
    jobs.wake("render")
    until(lambda: len(backlog.done) == 1)


def test_closing_says_that_the_end_is_near_and_closing_twice_is_fine(jobs: Jobs) -> None:
    assert not jobs.stopping
    jobs.close()
    jobs.close()
    assert jobs.stopping


def test_a_wake_for_a_stage_without_workers_is_only_a_hint(threads: ThreadJobs) -> None:
    threads.wake("nobody")


def test_work_that_nobody_announced_is_found(threads: ThreadJobs, backlog: Notebook) -> None:
    backlog.waiting.append(uuid4())
    until(lambda: len(backlog.done) == 1)


def test_all_threads_of_a_stage_work_at_once(threads: ThreadJobs, backlog: Notebook) -> None:
    backlog.go_on.clear()
    backlog.waiting += [uuid4() for _ in range(3)]
    until(lambda: len(backlog.waiting) == 1)
    assert backlog.done == []


def test_the_lease_of_what_is_running_is_renewed(threads: ThreadJobs, backlog: Notebook) -> None:
    backlog.go_on.clear()
    backlog.waiting.append(uuid4())
    until(lambda: len(backlog.renewed) >= 2)
    assert {claim.attempt for claim in backlog.renewed} == {1}


def test_a_stop_gives_back_what_is_running_and_takes_nothing_more(
    threads: ThreadJobs, backlog: Notebook
) -> None:
    backlog.go_on.clear()
    backlog.waiting += [uuid4() for _ in range(5)]
    until(lambda: len(backlog.waiting) == 3)
    threads.close()
    assert len(backlog.released) == 2
    backlog.go_on.set()
    threads.wake("render")
    until(lambda: len(backlog.done) == 2)
    assert len(backlog.waiting) == 3


def test_who_stops_it_again_waits_for_who_gives_back_already(threads: ThreadJobs, backlog: Notebook) -> None:
    """gunicorn's signal begins to stop, its exit stops again and leaves the process behind that."""
    begun, answered = threading.Event(), threading.Event()

    def release_slowly(claims: Sequence[Claim]) -> None:
        begun.set()
        answered.wait(PATIENCE_S)
        backlog.released += claims

    backlog.release = release_slowly  # type: ignore[method-assign]
    backlog.go_on.clear()
    backlog.waiting.append(uuid4())
    threads.wake("render")
    until(lambda: not backlog.waiting)
    stops = [threading.Thread(target=threads.close) for _ in range(2)]
    stops[0].start()
    assert begun.wait(PATIENCE_S)
    stops[1].start()
    stops[1].join(2 * FINISH_S + 0.2)
    assert stops[1].is_alive()
    answered.set()
    for stop in stops:
        stop.join(PATIENCE_S)
    assert len(backlog.released) == 1
    backlog.go_on.set()


def test_a_stop_lets_finish_what_is_nearly_done(threads: ThreadJobs, backlog: Notebook) -> None:
    backlog.go_on.clear()
    backlog.waiting.append(uuid4())
    until(lambda: not backlog.waiting)
    threading.Timer(FINISH_S / 5, backlog.go_on.set).start()
    threads.close()
    assert (len(backlog.done), backlog.released) == (1, [])


def test_a_database_that_goes_away_and_comes_back_stops_nobody_for_good(
    threads: ThreadJobs, backlog: Notebook, caplog: pytest.LogCaptureFixture
) -> None:
    backlog.away = True
    backlog.waiting.append(uuid4())
    threads.wake("render")
    time.sleep(0.5)
    backlog.away = False
    until(lambda: len(backlog.done) == 1)
    threads.ping()


def test_a_worker_that_is_surprised_goes_on_with_the_next() -> None:
    class Surprise(Notebook):
        def run(self, claim: Claim) -> bool:
            super().run(claim)
            if len(self.done) == 1:
                raise RuntimeError("unforeseen")
            return True

    surprising = Surprise()
    jobs = ThreadJobs(surprising, {"render": 1}, lease_s=1)
    surprising.waiting += [uuid4(), uuid4()]
    jobs.start()
    until(lambda: len(surprising.done) == 2)
    jobs.close()


def test_a_lane_that_gets_no_further_slows_down_and_gets_on_at_once_when_it_does() -> None:
    class Stalled(Notebook):
        def run(self, claim: Claim) -> bool:
            super().run(claim)
            if self.away_inside:
                self.waiting.append(claim.image_id)
            return not self.away_inside

        away_inside = True

    stalled = Stalled()
    jobs = ThreadJobs(stalled, {"render": 1}, lease_s=30)
    stalled.waiting += [uuid4() for _ in range(20)]
    jobs.start()
    until(lambda: len(stalled.done) == 3)
    stalled.away_inside = False
    until(lambda: not stalled.waiting)
    jobs.close()
    assert len(stalled.done) <= 25


def test_the_pauses_of_a_lane_that_gets_no_further_double_up_to_a_limit() -> None:
    assert [stall_s(times) for times in (1, 2, 3, 6, 7, 10_000)] == [0.25, 0.5, 1.0, 8.0, 8.0, 8.0]


def test_a_periodic_task_is_done_now_and_then_and_at_once_again_while_there_is_more() -> None:
    left = [True, True, False]
    task = Periodic(lambda: left.pop(0) if left else False, every_s=0.01)
    time.sleep(0.02)
    for number in (2, 1, 0):
        task.do()
        assert len(left) == number
    patient = Periodic(lambda: pytest.fail("too early"), every_s=3600)
    patient.do()


def test_a_periodic_task_that_fails_is_tried_again_and_the_queue_goes_on(backlog: Notebook) -> None:
    tried = []

    def fail() -> bool:
        tried.append(1)
        raise OSError("away")

    jobs = ThreadJobs(backlog, {"render": 1}, lease_s=30, periodic=Periodic(fail, every_s=0.01))
    jobs.start()
    until(lambda: len(tried) > 1)
    backlog.waiting.append(uuid4())
    until(lambda: len(backlog.done) == 1)
    jobs.close()
