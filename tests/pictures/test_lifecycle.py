"""Work is claimed by one, fenced by its attempt, found again after its holder's end, and counted once."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import insert, select, text

from imgpipe.database.engine import db, writing
from imgpipe.database.models import Image, Thumbnail
from imgpipe.jobs.protocol import Claim
from imgpipe.pictures import lifecycle, queue, stats
from imgpipe.pictures.outcome import Done, Failed, Later
from imgpipe.pictures.queue import CAPTION, PAUSED, RENDER
from tests.conftest import Clock
from tests.pictures.queueing import LONG_S, SHORT_S, claim, enter, row


@pytest.fixture(autouse=True)
def in_app(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


THUMBNAIL = {
    "name": "small",
    "key": "k",
    "format": "jpg",
    "width": 1,
    "height": 1,
    "size_bytes": 1,
    "etag": "e",
}


def finish(held: Claim) -> bool:
    return lifecycle.settle(held, Done(line="rendered", worked_ms=5, thumbnails=[THUMBNAIL]))


def fail(held: Claim) -> bool:
    return lifecycle.settle(held, Failed(line="failed", code="corrupt_image", sentence="damaged"))


def test_a_picture_is_claimed_once_and_the_longest_waiting_first() -> None:
    ids = [enter(), enter()]
    assert [claim().image_id, claim().image_id] == ids
    assert queue.claim(RENDER, LONG_S) is None


def test_many_who_claim_at_once_never_get_the_same(app: Flask) -> None:
    ids = {enter() for _ in range(40)}

    def take(_: int) -> UUID:
        with app.app_context():
            return claim().image_id

    with ThreadPoolExecutor(8) as claimants:
        taken = list(claimants.map(take, range(40)))
    assert (len(taken), set(taken)) == (40, ids)


def test_what_is_claimed_is_not_due_until_the_lease_has_run_out(service_clock: Clock) -> None:
    id = enter()
    assert queue.due() == [RENDER]
    claim(SHORT_S)
    assert queue.due() == []
    service_clock.advance(2 * SHORT_S)
    assert queue.due() == [RENDER]
    again = claim()
    assert (again.image_id, again.attempt, again.crashes) == (id, 2, 1)


def test_a_renewed_lease_does_not_run_out(service_clock: Clock) -> None:
    enter()
    held = claim(SHORT_S)
    queue.renew([held], LONG_S)
    service_clock.advance(2 * SHORT_S)
    assert queue.claim(RENDER, LONG_S) is None


def test_what_is_given_back_is_due_at_once_and_no_crash() -> None:
    enter()
    queue.release([claim()])
    again = claim()
    assert (again.attempt, again.crashes) == (2, 0)


def test_what_is_postponed_is_due_later_and_no_crash(service_clock: Clock) -> None:
    enter()
    lifecycle.settle(claim(), Later(line="not yet", delay_s=SHORT_S))
    assert queue.claim(RENDER, LONG_S) is None
    service_clock.advance(2 * SHORT_S)
    assert claim().crashes == 0


def test_the_result_of_a_holder_whose_claim_passed_on_is_thrown_away(service_clock: Clock) -> None:
    id = enter()
    late = claim(SHORT_S)
    service_clock.advance(2 * SHORT_S)
    present = claim()
    assert not finish(late)
    assert not fail(late)
    assert row(id).status == "processing"
    assert db.session.scalars(select(Thumbnail)).all() == []
    assert finish(present)
    assert row(id).status == "success"


def test_a_late_holder_can_neither_renew_nor_give_back_what_passed_on(service_clock: Clock) -> None:
    id = enter()
    late = claim(SHORT_S)
    service_clock.advance(2 * SHORT_S)
    claim()
    due_at = row(id).due_at
    queue.renew([late], 1000)
    queue.release([late])
    assert (row(id).due_at, row(id).running) == (due_at, True)


def test_finishing_twice_counts_once() -> None:
    enter()
    held = claim()
    assert finish(held)
    assert not finish(held)
    totals = stats.totals()
    assert (totals.total, totals.success, totals.failed, totals.worked_ms) == (1, 1, 0, 5)


def test_a_finished_picture_has_nothing_left_to_do() -> None:
    id = enter()
    finish(claim())
    image = row(id)
    assert (image.stage, image.due_at, image.running, image.crashes) == (None, None, False, 0)
    assert image.processed_at is not None
    assert queue.due() == []


def test_a_result_for_a_deleted_picture_is_thrown_away() -> None:
    id = enter()
    held = claim()
    assert lifecycle.remove(id) == ["a"]
    assert not finish(held)
    assert stats.totals().total == 0


def test_a_retry_starts_afresh_and_shuts_out_those_who_held_it_before() -> None:
    id = enter()
    before = claim()
    fail(before)
    assert stats.totals().failed == 1
    lifecycle.retry(id)
    held = claim()
    assert (held.attempt, held.crashes) == (2, 0)
    assert not finish(before)
    assert finish(held)
    totals = stats.totals()
    assert (totals.success, totals.failed, totals.processing) == (1, 0, 0)


def test_crashes_are_forgotten_once_a_stage_succeeds() -> None:
    id = enter()
    for _ in range(2):
        claim(0)
    finish(claim())
    assert row(id).crashes == 0


def test_a_caption_that_took_no_time_is_written_all_the_same() -> None:
    id = enter()
    finish(claim())
    with writing(durable=True) as session:
        assert lifecycle.recaption(session, Image.id == id) == 1
    assert lifecycle.settle(claim(lane=CAPTION), Done(line="skipped"))
    assert (row(id).stage, stats.totals().worked_ms) == (None, 5)


def test_what_waits_for_a_pause_is_a_success_with_work_left() -> None:
    id = enter()
    assert lifecycle.settle(claim(), Done(line="waits", then=PAUSED))
    image = row(id)
    assert (image.status, image.stage, image.processed_at is None) == ("success", PAUSED, False)
    assert (stats.totals().success, stats.totals().processing) == (1, 0)
    assert finish(claim(lane=CAPTION))
    assert stats.totals().success == 1


def test_time_worked_on_a_finished_picture_is_counted_even_where_it_is_put_off() -> None:
    id = enter()
    finish(claim())
    with writing(durable=True) as session:
        lifecycle.recaption(session, Image.id == id)
    lifecycle.settle(claim(lane=CAPTION), Later(line="not yet", delay_s=0, worked_ms=7))
    assert row(id).worked_ms == stats.totals().worked_ms == 12


@pytest.mark.parametrize("stage", [RENDER, PAUSED])
def test_a_clock_that_is_set_back_delays_nothing(service_clock: Clock, stage: str) -> None:
    id = enter()
    if stage == PAUSED:
        lifecycle.settle(claim(), Done(line="waits", then=PAUSED))
    service_clock.advance(-3600)
    lane = queue.lane_of(stage)
    assert queue.due() == [lane]
    held = claim(lane=lane)
    assert (held.image_id, held.crashes) == (id, 0)
    assert queue.due() == []


def test_a_clock_set_back_under_a_holders_feet_counts_no_crash(service_clock: Clock) -> None:
    enter()
    claim()
    service_clock.advance(-3600)
    assert claim().crashes == 0


def test_what_fell_due_together_is_handed_out_in_the_order_of_the_uploads(service_clock: Clock) -> None:
    ids = [enter() for _ in range(5)]
    assert [claim().image_id for _ in range(5)] == ids


def test_every_change_of_state_is_one_line_with_attempt_and_time(app: Flask) -> None:
    enter()
    lifecycle.settle(claim(), Later(line="not yet", delay_s=0, worked_ms=1))
    lifecycle.settle(claim(), Done(line="rendered", worked_ms=2))
    told = (app.extensions["imgpipe"].settings.data_dir / "logs/app.log").read_text()
    lines = [line.partition("lifecycle: ")[2] for line in told.splitlines() if "lifecycle: " in line]
    assert lines == ["not yet, attempt 1, 1 ms", "rendered, attempt 2, 2 ms"]


def test_a_delete_that_waits_for_a_finishing_render_learns_of_its_files(app: Flask) -> None:
    id = enter()
    held = claim()
    begun, removed = threading.Event(), []

    def remove() -> None:
        with app.app_context():
            begun.set()
            removed.append(lifecycle.remove(id))

    deleting = threading.Thread(target=remove)
    with db.engine.connect() as other:
        if db.engine.dialect.name == "postgresql":
            other.execute(select(Image.id).where(Image.id == id).with_for_update())
            deleting.start()
            begun.wait()
            wait_for_a_waiting_lock()
        other.execute(insert(Thumbnail).values(image_id=id, **THUMBNAIL))
        other.commit()
    if not deleting.ident:
        deleting.start()
    deleting.join()
    assert removed == [["k", "a"]]
    assert not finish(held)


def wait_for_a_waiting_lock() -> None:
    """Return as soon as somebody waits for what another connection holds."""
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    deadline = time.monotonic() + 20
    while True:
        with db.engine.connect() as connection:
            if connection.scalar(waiting):
                return
        assert time.monotonic() < deadline
        time.sleep(0.005)
