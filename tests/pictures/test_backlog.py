"""What goes wrong while work is done: an outage waits, a bug of ours counts as a crash and ends."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text, update

from imgpipe.clock import utc_now
from imgpipe.database.engine import db, writing
from imgpipe.database.models import Image
from imgpipe.jobs.protocol import Claim
from imgpipe.pictures import queue, render
from imgpipe.pictures.backlog import DatabaseBacklog
from imgpipe.pictures.outcome import Done, Later, Outcome, Stage
from imgpipe.pictures.queue import RENDER
from tests.pictures.queueing import enter, row
from tests.postgres import on_postgresql

LEASE_S = 60.0


@pytest.fixture(autouse=True)
def in_app(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


Work = Callable[[Claim], Outcome | None]


def work_off(work: Work, times: int) -> list[Claim]:
    """Do what is in the lane as often as told, as if its time had come; return the claims."""
    backlog = DatabaseBacklog({RENDER: Stage(work, render.give_up)}, LEASE_S)
    claims = []
    for _ in range(times):
        with writing(durable=False) as session:
            session.execute(update(Image).where(Image.stage.is_not(None)).values(due_at=utc_now()))
        if claim := backlog.claim(RENDER):
            claims.append(claim)
            backlog.run(claim)
    return claims


def ask_wrongly(_claim: Claim) -> Outcome | None:
    db.session.execute(text("UPDATE tallies SET WHERE shard = 1"))
    return None


def find_it_read_only(_claim: Claim) -> Outcome | None:
    if db.engine.dialect.name == "postgresql":
        db.session.execute(text("SET TRANSACTION READ ONLY"))
        db.session.execute(text("UPDATE tallies SET total = 1"))
    with db.engine.connect() as connection:
        connection.execute(text("PRAGMA query_only = 1"))
        try:
            connection.execute(text("UPDATE tallies SET total = 1"))
        finally:
            connection.execute(text("PRAGMA query_only = 0"))
    return None


def be_puzzled(_claim: Claim) -> Outcome | None:
    raise RuntimeError("unforeseen")


@pytest.mark.parametrize("work", [ask_wrongly, be_puzzled])
def test_a_bug_of_ours_ends_the_picture_as_crashed_at_its_fourth_claim(app: Flask, work: Work) -> None:
    id = enter()
    claims = work_off(work, 10)
    assert [claim.crashes for claim in claims] == [0, 1, 2, 3]
    assert (row(id).status, row(id).error_code) == ("failed", "crashed")


def test_a_database_that_is_away_counts_no_crash_and_makes_the_work_wait(app: Flask) -> None:
    id = enter()
    claims = work_off(find_it_read_only, 10)
    assert [claim.crashes for claim in claims] == [0] * 10
    image: Any = row(id)
    assert (image.status, image.running) == ("processing", False)
    assert image.due_at > utc_now()
    assert queue.due() == []


def test_what_was_put_off_or_given_back_is_not_due_earlier_for_being_given_back_again(app: Flask) -> None:
    """A stop gives back what a worker may have put off a moment ago, such as a captioner's pause."""
    enter()
    stage = Stage(lambda _: Later(line="not yet", delay_s=60), render.give_up)
    backlog = DatabaseBacklog({RENDER: stage}, LEASE_S)
    claim = backlog.claim(RENDER)
    assert claim is not None
    backlog.run(claim)
    put_off = row(claim.image_id).due_at
    backlog.release([claim])
    queue.leave_as_crashed(claim)
    assert row(claim.image_id).due_at == put_off
    assert queue.due() == []


def be_locked_out(_claim: Claim) -> Outcome | None:
    db.session.execute(text("DO $$ BEGIN RAISE SQLSTATE '40P01' USING MESSAGE = 'deadlock detected'; END $$"))
    return None


@on_postgresql
def test_a_deadlock_is_tried_again_and_told_apart_from_an_outage(app: Flask) -> None:
    id = enter()
    assert [claim.crashes for claim in work_off(be_locked_out, 4)] == [0] * 4
    assert row(id).status == "processing"
    told = (app.extensions["imgpipe"].settings.data_dir / "logs/app.log").read_text()
    assert "ERROR" in told
    assert "two transactions locked each other out: deadlock detected; the work is given back" in told
    assert "is away" not in told


@pytest.mark.parametrize(
    ("work", "got_on"),
    [
        (lambda _: Done(line="done"), True),
        (lambda _: None, True),
        (lambda _: Later(line="not yet", delay_s=1), True),
        (lambda _: Later(line="storage is away", delay_s=1, stalled=True), False),
        (find_it_read_only, False),
        (be_puzzled, True),
    ],
)
def test_a_lane_is_told_when_what_comes_next_would_get_no_further(work: Work, got_on: bool) -> None:
    enter()
    backlog = DatabaseBacklog({RENDER: Stage(work, render.give_up)}, LEASE_S)
    claim = backlog.claim(RENDER)
    assert claim is not None
    assert backlog.run(claim) is got_on
