"""Sizes that are added: pictures from before get them in idle hours, a few at a time, over kills."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from imgpipe.database.engine import db
from imgpipe.pictures import backfill, queue, remaking
from imgpipe.pictures.backlog import BackfillBacklog
from tests.conftest import Clock
from tests.factories import AppFactory, jpeg, shown, upload
from tests.pictures.queueing import enter
from tests.postgres import on_sqlite

LARGE = {"IMGPIPE_THUMBNAILS": "small:128,medium:512,large:700"}


def go_on(app: Flask) -> None:
    """Let whoever works on pixels look for work."""
    app.extensions["imgpipe"].jobs.wake(queue.RENDER)


def fetch(client: FlaskClient, id: str, name: str = "large") -> Any:
    return client.get(f"/api/images/{id}/thumbnails/{name}")


def uploaded(make_app: AppFactory, count: int, **options: str) -> list[str]:
    """Upload pictures of different bytes to an app of these options."""
    client = make_app(**options).test_client()
    return [upload(client, jpeg(900 + number, 600)) for number in range(count)]


def ready(client: FlaskClient) -> dict[str, Any]:
    told: dict[str, Any] = client.get("/api/health/ready").get_json()
    return told


def test_a_size_that_is_added_is_made_of_all_pictures_and_the_others_stay(make_app: AppFactory) -> None:
    ids = uploaded(make_app, 3)
    app = make_app(**LARGE)
    client = app.test_client()
    before = [fetch(client, id, "medium").headers["ETag"] for id in ids]
    seen = shown(client, ids[0])
    go_on(app)
    assert [fetch(client, id).status_code for id in ids] == [200] * 3
    assert [fetch(client, id, "medium").headers["ETag"] for id in ids] == before
    assert shown(client, ids[0]) == seen
    assert "thumbnails" not in ready(client)


def test_one_that_is_asked_for_before_says_when_to_come_back(make_app: AppFactory) -> None:
    ids = uploaded(make_app, 2)
    app = make_app(**LARGE)
    with app.app_context():
        assert BackfillBacklog(30).due() == (queue.RENDER,)
    client = app.test_client()
    missing = fetch(client, ids[0])
    assert (missing.status_code, missing.get_json()["code"]) == (404, "thumbnail_not_ready")
    assert missing.headers["Retry-After"] == "1"
    assert ready(client)["thumbnails"] == {"seen": 0, "of": 2}


def test_a_picture_without_original_stays_as_it_is(make_app: AppFactory) -> None:
    (gone,) = uploaded(make_app, 1, IMGPIPE_ORIGINALS="discard")
    app = make_app(**LARGE)
    client = app.test_client()
    kept = upload(client)
    go_on(app)
    assert fetch(client, kept).status_code == 200
    missing = fetch(client, gone)
    assert (missing.status_code, "Retry-After" in missing.headers) == (404, False)
    assert shown(client, gone)["status"] == "success"


def test_many_are_made_a_few_at_a_time(make_app: AppFactory) -> None:
    ids = uploaded(make_app, remaking.AT_ONCE + 1)
    app = make_app(**LARGE)
    with app.app_context():
        idle = BackfillBacklog(30)
        claim = idle.claim(queue.RENDER)
        assert claim
        assert idle.claim(queue.RENDER) is None  # one at a time
        assert idle.run(claim)
        assert backfill.seen() == remaking.AT_ONCE
        db.session.remove()
    go_on(app)
    assert {fetch(app.test_client(), id).status_code for id in ids} == {200}


@on_sqlite
def test_a_storage_that_goes_away_meanwhile_costs_no_picture_its_size(
    make_app: AppFactory, tmp_path: Path, service_clock: Clock
) -> None:
    ids = uploaded(make_app, remaking.AT_ONCE + 2)
    app = make_app(**LARGE)
    media = tmp_path / "media"
    with app.app_context():
        idle = BackfillBacklog(30)
        for got_on in (True, False):
            claim = idle.claim(queue.RENDER)
            assert claim
            assert idle.run(claim) == got_on
            if got_on:
                media.rename(tmp_path / "away")
        assert backfill.seen() == remaking.AT_ONCE
        db.session.remove()
    (tmp_path / "away").rename(media)
    service_clock.advance(3)
    go_on(app)
    assert {fetch(app.test_client(), id).status_code for id in ids} == {200}


def test_an_upload_goes_first(make_app: AppFactory) -> None:
    uploaded(make_app, 2)
    app = make_app(**LARGE)
    with app.app_context():
        enter()
        idle = BackfillBacklog(30)
        claim = idle.claim(queue.RENDER)
        assert claim
        assert idle.run(claim)
        assert backfill.seen() == 0
        db.session.remove()


def test_who_dies_over_it_leaves_it_to_the_next_and_the_third_time_passes_the_picture_over(
    make_app: AppFactory, service_clock: Clock
) -> None:
    first, second = uploaded(make_app, 2)
    app = make_app(**LARGE)
    with app.app_context():
        idle = BackfillBacklog(30)
        for _ in range(3):
            assert idle.claim(queue.RENDER)
            assert not idle.due()
            service_clock.advance(31)
        assert idle.due()
        db.session.remove()
    go_on(app)
    client = app.test_client()
    assert [fetch(client, id).status_code for id in (first, second)] == [404, 200]


def test_a_size_that_was_dropped_and_comes_back_is_made_of_what_came_between(make_app: AppFactory) -> None:
    go_on(make_app(**LARGE))
    between = make_app()
    id = upload(between.test_client())
    go_on(between)
    again = make_app(**LARGE)
    go_on(again)
    assert fetch(again.test_client(), id).status_code == 200


def test_a_picture_that_is_deleted_meanwhile_leaves_no_file(make_app: AppFactory) -> None:
    (id,) = uploaded(make_app, 1)
    app = make_app(**LARGE)
    app.test_client().delete(f"/api/images/{id}")
    go_on(app)
    assert app.test_cli_runner().invoke(args=["doctor"]).exit_code == 0


def test_what_is_done_is_not_looked_for_again(
    make_app: AppFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    uploaded(make_app, 1)
    for _ in range(2):
        go_on(make_app(**LARGE))
    told = [line.rpartition(": ")[2] for line in capsys.readouterr().err.splitlines() if "thumbnails" in line]
    assert told == [
        "pictures that lack the thumbnails large get them in the background",
        "all of 1 pictures have their thumbnails, 1 got more",
    ]
