"""A caption is paid for as seldom as it can be, whoever dies and whoever else is at work on it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from operator import add
from typing import Any

import pytest

from imgpipe import clock
from imgpipe.captions import Caption, CaptionError
from imgpipe.clock import utc_now
from imgpipe.jobs.protocol import Backlog
from imgpipe.pictures import queue
from tests.crash.model import Killed
from tests.crash.service import Event, Scripted, Service
from tests.factories import png
from tests.postgres import on_postgresql

PATIENCE_S = 60
LONG_S = 31
GOOD = Caption("a dog on a hill", "scripted", "plain")


@pytest.fixture
def calls(captioned: Service) -> Iterator[list[Event]]:
    """Return the calls that are paid for."""
    told: list[Event] = []
    Scripted.tell = staticmethod(lambda each: told.append(each) if "called" in each else None)
    yield told
    clock.replace(None)


@pytest.mark.parametrize("ends", [["busy"] * 6, ["busy", "killed", "busy", "busy", "busy"]])
def test_a_captioner_that_gives_no_answer_is_asked_three_times(
    captioned: Service, calls: list[Event], ends: list[str]
) -> None:
    def answer(jpeg: bytes) -> Caption:
        if ends.pop(0) == "killed":
            raise Killed
        raise CaptionError("rate_limited", "Slow down", retryable=True)

    Scripted.answers = staticmethod(answer)
    image_id = captioned.upload(png(20, 20))
    now = utc_now()
    for seconds in range(0, 4 * LONG_S, 4):
        clock.replace(partial(add, now, timedelta(seconds=seconds)))
        with suppress(Killed):
            captioned.work()
    assert captioned.look(image_id)["caption_status"] == "failed"
    assert len(calls) == 3


@contextmanager
def between_the_looks(service: Service) -> Iterator[list[Any]]:
    """Call what is put into the list once, between the two questions about pictures of the same bytes."""
    acts: list[Any] = []
    asked: list[str] = []

    def meet(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if acts and "images.sha256 = " in statement and threading.current_thread() is threading.main_thread():
            asked.append(statement)
            if len(asked) == 2:
                acts.pop()()

    with service.listening("before_cursor_execute", meet):
        yield acts
    assert not acts, "there were no two questions"


@on_postgresql  # nobody can end anything meanwhile on SQLite, which has one writer
def test_a_twin_whose_caption_comes_between_two_looks_is_not_paid_for_again(
    captioned: Service, calls: list[Event]
) -> None:
    first, second = captioned.upload(png(20, 20)), captioned.upload(png(20, 20))
    captioned.jobs.work_in(queue.RENDER)
    backlog: Backlog = vars(captioned.jobs)["_backlog"]
    one, other = backlog.claim(queue.CAPTION), backlog.claim(queue.CAPTION)
    assert one is not None
    assert other is not None
    called, may_end = threading.Event(), threading.Event()

    def answer(jpeg: bytes) -> Caption:
        called.set()
        assert may_end.wait(PATIENCE_S)
        return GOOD

    Scripted.answers = staticmethod(answer)
    running = threading.Thread(target=backlog.run, args=(one,))
    running.start()
    assert called.wait(PATIENCE_S)

    def end() -> None:
        may_end.set()
        running.join(PATIENCE_S)

    with between_the_looks(captioned) as acts:
        acts.append(end)
        backlog.run(other)
    assert not running.is_alive()
    captioned.work_to_the_end()
    assert [captioned.look(each)["caption"] for each in (first, second)] == [GOOD.text] * 2
    assert len(calls) == 1
