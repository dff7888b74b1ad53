"""The next version of a log: written by one at a time, seen at once or never, swept when it is over."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from imgpipe import clock
from imgpipe.database.depthmodels import DepthBlock, DepthLog, DepthPixels, DepthVersion
from imgpipe.database.engine import reading, writing
from imgpipe.depthlogs import drafts, logs, sweeping
from imgpipe.depthlogs.lines import lines_of
from imgpipe.depthlogs.ranges import Interval
from imgpipe.errors import Busy, LogNotFound, Unavailable
from tests.depthlogs.test_logs import EVERYTHING, accept, read
from tests.depths import raw, small, store
from tests.factories import AppFactory

MANY = [n / 8 for n in range(6_000)]


@pytest.fixture
def later() -> Iterator[None]:
    """Set the clock an hour ahead for the rest of the test when it is asked to."""
    yield
    clock.replace(None)


def an_hour_on() -> None:
    ahead = clock.utc_now() + timedelta(hours=1)
    clock.replace(lambda: ahead)


def counted() -> tuple[int, int, int]:
    """Count blocks, their pixels, and versions that are remembered."""
    with reading() as session:
        count = [
            session.scalar(select(func.count()).select_from(table)) or 0
            for table in (DepthBlock, DepthPixels, DepthVersion)
        ]
    return count[0], count[1], count[2]


def die_while_writing(name: str) -> None:
    """Write a part of a version as a process does that is killed then."""
    draft = drafts._claim(name)
    assert draft is not None
    depths = np.arange(1_000.0)
    draft.add(lines_of(depths, np.full((1_000, 4), 9, np.uint8)))
    with reading() as session:
        for id in session.scalars(select(DepthBlock.id).where(DepthBlock.log == draft.number)).all():
            draft.bury(id)
    draft.flush()


@pytest.mark.usefixtures("later")
def test_what_a_dead_import_wrote_is_never_seen_and_undone_by_the_next(app: Flask) -> None:
    with app.app_context():
        accept(small(MANY))
        before = read("a"), counted()
        die_while_writing("a")
        assert read("a") == before[0]
        an_hour_on()
        assert list(drafts.find_abandoned()) == ["a"]
        assert accept(small([0.0625])).replaced == 0
        assert len(read("a")) == len(MANY) + 1
        assert list(drafts.find_abandoned()) == []


@pytest.mark.usefixtures("later")
def test_a_log_whose_first_import_died_is_not_there(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        die_while_writing("new")
        with pytest.raises(LogNotFound):
            logs.find("new")
        assert client.get("/api/frames/logs").json["data"] == []  # type: ignore[index]
        an_hour_on()
        sweeping.sweep()
        assert counted() == (0, 0, 0)
    assert store(client, small([1]), "new")["rows"] == 1


def test_a_second_writer_waits_and_is_then_told_that_the_service_is_busy(app: Flask) -> None:
    def write_too() -> None:
        with app.app_context(), drafts.drafting("a", wait_s=0.2):
            pass

    with app.app_context(), drafts.drafting("a"), ThreadPoolExecutor(1) as pool:
        told = pool.submit(write_too).exception()
    assert isinstance(told, Busy)
    assert (told.status, told.code) == (503, "busy")
    with app.app_context():
        assert accept(small([1])).replaced == 0


def write_over(client: FlaskClient) -> None:
    """Write a version of a log that is deleted meanwhile."""
    with drafts.drafting("a") as draft:
        draft.add(lines_of(np.arange(10.0), np.zeros((10, 4), np.uint8)))
        assert client.delete("/api/frames/logs/a").status_code == 204
        draft.announce(lambda _session: None, rows=10)


def test_a_log_that_is_deleted_while_it_is_written_stays_deleted(app: Flask, client: FlaskClient) -> None:
    store(client, small(MANY), "a")
    with app.app_context():
        with pytest.raises(Busy):
            write_over(client)
        with pytest.raises(LogNotFound):
            logs.find("a")


def test_what_is_not_announced_leaves_the_log_as_it_was(app: Flask) -> None:
    with app.app_context():
        accept(small(MANY))
        before = read("a"), counted()
        with drafts.drafting("a") as draft:
            draft.add(lines_of(np.arange(10.0), np.zeros((10, 4), np.uint8)))
            draft.flush()
        assert (read("a"), counted()) == before


@pytest.mark.usefixtures("later")
def test_a_version_that_was_replaced_is_read_to_its_end_until_it_is_swept(app: Flask) -> None:
    with app.app_context():
        accept(small(MANY, seed=1))
        old = Interval(logs.find("a"), *EVERYTHING)
        stream = old.blocks()
        first = next(stream).grey.tolist()
        expected = read("a")
        accept(small(MANY, seed=2))
        sweeping.sweep()
        assert first + [row for block in stream for row in block.grey.tolist()] == expected
        an_hour_on()
        sweeping.sweep()
        assert counted() == (6, 6, 0)
        with pytest.raises(Unavailable):
            list(old.blocks())


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("jobs", ["threads", "celery"])
def test_a_service_to_which_nobody_uploads_sweeps_too(make_app: AppFactory, jobs: str) -> None:
    app = make_app(IMGPIPE_JOBS=jobs)
    with app.app_context():
        for _ in range(2):
            accept(small([1, 2]))
        assert counted() == (2, 2, 1)
        an_hour_on()
        assert app.extensions["imgpipe"].jobs._executor.periodic.act() is False
        assert counted() == (1, 1, 0)


@pytest.mark.usefixtures("later")
def test_a_deleted_log_is_read_to_its_end_and_swept_later(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        accept(small(MANY, seed=1))
        expected = read("a")
        stream = Interval(logs.find("a"), *EVERYTHING).blocks()
        first = next(stream).grey.tolist()
        logs.delete("a")
        accept(small([1, 2]))
        assert first + [row for block in stream for row in block.grey.tolist()] == expected
        an_hour_on()
        sweeping.sweep()
        assert counted() == (1, 1, 0)
    assert len(raw(client, log="a")) == 2


def test_an_upload_rewrites_only_the_blocks_that_it_touches(app: Flask) -> None:
    with app.app_context():
        accept(small(MANY))
        with reading() as session:
            before = set(session.scalars(select(DepthBlock.id)).all())
        accept(small([250.01, 250.02]))
        with reading() as session:
            log = session.scalars(select(DepthLog)).one()
            dead = select(DepthBlock.id).where(DepthBlock.died == log.uploads)
            assert len(session.scalars(dead).all()) == 1
            assert len(before) == 6


def test_many_small_uploads_side_by_side_make_few_blocks(app: Flask) -> None:
    with app.app_context():
        for n in range(40):
            accept(small([n, n + 0.5] if n % 2 else [-n, -n - 0.5]))
        with reading() as session:
            living = session.scalar(select(func.count(DepthBlock.id)).where(DepthBlock.died.is_(None)))
        assert living == 1
        assert len(read("a")) == 80


@pytest.mark.usefixtures("later")
def test_doctor_tells_of_a_dead_import_and_undoes_it(app: Flask) -> None:
    with app.app_context():
        accept(small(MANY))
        die_while_writing("a")
        an_hour_on()
        runner = app.test_cli_runner()
        told = runner.invoke(args=["doctor"])
        assert (told.exit_code, "dead depth imports" in told.output) == (1, True)
        assert runner.invoke(args=["doctor", "--fix"]).exit_code == 0
        assert counted() == (6, 6, 0)


def test_no_other_writer_waits_for_the_whole_of_an_import(app: Flask, client: FlaskClient) -> None:
    """Count how often another writer gets in between the slices of one import."""
    entered, stop = [], threading.Event()

    def write() -> None:
        with app.app_context():
            while not stop.is_set():
                with writing(durable=False):
                    entered.append(1)
                stop.wait(0.01)

    csv = small([n / 8 for n in range(40_000)], width=300)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(write)
        store(client, csv)
        stop.set()
        running.result()
    assert len(entered) > 5
