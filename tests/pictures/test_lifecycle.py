"""Work is claimed by one, fenced by its attempt, found again after its holder's end, and counted once."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select
from uuid6 import uuid7

from imgpipe.database.engine import db
from imgpipe.database.models import Image, Thumbnail
from imgpipe.jobs.protocol import Claim
from imgpipe.pictures import lifecycle, stats
from imgpipe.pictures.lifecycle import RENDER

SHORT_S, LONG_S = 0.05, 60.0


@pytest.fixture(autouse=True)
def in_app(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def enter() -> UUID:
    """Queue a picture as an upload does, but without a file, a pool or a wake."""
    id = UUID(int=uuid7().int)
    image = Image(id=id, original_name="a.jpg", original_key="a", format="jpg", sha256="0" * 64, size_bytes=1)
    image.caption_status = "skipped"
    lifecycle.enter(image)
    return id


def claim(lease_s: float = LONG_S) -> Claim:
    held = lifecycle.claim(RENDER, lease_s)
    assert held is not None
    return held


def row(id: UUID) -> Image:
    db.session.remove()
    image = db.session.get(Image, id)
    assert image is not None
    return image


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
    return lifecycle.finish(held, worked_ms=5, then=None, thumbnails=[THUMBNAIL])


def test_a_picture_is_claimed_once_and_the_longest_waiting_first() -> None:
    ids = [enter(), enter()]
    assert [claim().image_id, claim().image_id] == ids
    assert lifecycle.claim(RENDER, LONG_S) is None


def test_many_who_claim_at_once_never_get_the_same(app: Flask) -> None:
    ids = {enter() for _ in range(40)}

    def take(_: int) -> UUID:
        with app.app_context():
            return claim().image_id

    with ThreadPoolExecutor(8) as claimants:
        taken = list(claimants.map(take, range(40)))
    assert (len(taken), set(taken)) == (40, ids)


def test_what_is_claimed_is_not_due_until_the_lease_has_run_out() -> None:
    id = enter()
    assert lifecycle.due() == [RENDER]
    claim(SHORT_S)
    assert lifecycle.due() == []
    time.sleep(SHORT_S * 2)
    assert lifecycle.due() == [RENDER]
    again = claim()
    assert (again.image_id, again.attempt, again.crashes) == (id, 2, 1)


def test_a_renewed_lease_does_not_run_out() -> None:
    enter()
    held = claim(SHORT_S)
    lifecycle.renew([held], LONG_S)
    time.sleep(SHORT_S * 2)
    assert lifecycle.claim(RENDER, LONG_S) is None


def test_what_is_given_back_is_due_at_once_and_no_crash() -> None:
    enter()
    lifecycle.release([claim()])
    again = claim()
    assert (again.attempt, again.crashes) == (2, 0)


def test_what_is_postponed_is_due_later_and_no_crash() -> None:
    enter()
    lifecycle.postpone(claim(), SHORT_S)
    assert lifecycle.claim(RENDER, LONG_S) is None
    time.sleep(SHORT_S * 2)
    assert claim().crashes == 0


def test_the_result_of_a_holder_whose_claim_passed_on_is_thrown_away() -> None:
    id = enter()
    late = claim(SHORT_S)
    time.sleep(SHORT_S * 2)
    present = claim()
    assert not finish(late)
    assert not lifecycle.fail(late, "corrupt_image", "too late")
    assert row(id).status == "processing"
    assert db.session.scalars(select(Thumbnail)).all() == []
    assert finish(present)
    assert row(id).status == "success"


def test_a_late_holder_can_neither_renew_nor_give_back_what_passed_on() -> None:
    id = enter()
    late = claim(SHORT_S)
    time.sleep(SHORT_S * 2)
    claim()
    due_at = row(id).due_at
    lifecycle.renew([late], 1000)
    lifecycle.release([late])
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
    assert lifecycle.due() == []


def test_a_result_for_a_deleted_picture_is_thrown_away() -> None:
    id = enter()
    held = claim()
    assert lifecycle.remove(id) == ["a"]
    assert not finish(held)
    assert stats.totals().total == 0


def test_a_retry_starts_afresh_and_shuts_out_those_who_held_it_before() -> None:
    id = enter()
    before = claim()
    lifecycle.fail(before, "corrupt_image", "damaged")
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
