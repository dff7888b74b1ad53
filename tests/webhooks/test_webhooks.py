"""Events: kept with what happened, struck off once a target took them; in order, signed, never lost."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from imgpipe.config import load
from imgpipe.database.engine import db
from imgpipe.errors import ConfigError
from imgpipe.webhooks import queue
from tests.captions.provider import SENTENCE, Provider
from tests.conftest import Clock
from tests.factories import AppFactory, jpeg, png, post, shown, upload
from tests.webhooks.receiver import SECRET, WORKED, Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def app(make_app: AppFactory, receiver: Receiver) -> Flask:
    return make_app(IMGPIPE_WEBHOOK_URL=receiver.url, IMGPIPE_WEBHOOK_SECRET=SECRET)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def deliver(app: Flask) -> None:
    """Deliver what is due."""
    app.extensions["imgpipe"].jobs.wake(queue.STAGE)


def waiting(app: Flask) -> int:
    with app.app_context():
        count = len(queue.waiting())
        db.session.rollback()
        return count


def test_a_picture_that_is_done_is_told_of_as_lists_show_it(
    app: Flask, client: FlaskClient, receiver: Receiver
) -> None:
    image_id = upload(client)
    deliver(app)
    ((_, event),) = receiver.seen
    listed = client.get("/api/images").get_json()["data"][0]
    assert (event["type"], event["data"]) == ("image.succeeded", listed)
    assert event["data"]["image_id"] == image_id
    assert event["timestamp"].endswith("Z")
    assert receiver.unsigned == []
    assert waiting(app) == 0


def test_a_picture_that_fails_is_told_of_with_its_reason(
    app: Flask, client: FlaskClient, receiver: Receiver
) -> None:
    whole = jpeg(600, 400)
    upload(client, whole[: len(whole) // 2])
    deliver(app)
    assert receiver.kinds() == ["image.failed"]
    assert receiver.seen[0][1]["data"]["error_code"] == "corrupt_image"


def test_the_whole_life_of_a_picture_comes_in_its_order(
    make_app: AppFactory, receiver: Receiver, provider: Provider
) -> None:
    app = make_app(
        IMGPIPE_WEBHOOK_URL=receiver.url,
        IMGPIPE_WEBHOOK_SECRET=SECRET,
        IMGPIPE_CAPTIONER="openai",
        IMGPIPE_CAPTION_URL=f"{provider.url}/v1",
    )
    client = app.test_client()
    image_id = upload(client)
    for lane in ("render", "caption"):
        app.extensions["imgpipe"].jobs.wake(lane)
    last = client.get("/api/images").get_json()["data"][0]
    client.delete(f"/api/images/{image_id}")
    deliver(app)
    assert receiver.kinds() == ["image.succeeded", "image.captioned", "image.deleted"]
    assert receiver.seen[1][1]["data"]["caption"] == SENTENCE
    assert receiver.seen[2][1]["data"] == last


def test_a_caption_by_a_person_is_told_of_like_one_by_a_machine(
    app: Flask, client: FlaskClient, receiver: Receiver
) -> None:
    image_id = upload(client)
    for changes in ({"caption": "A dog."}, {"caption": "A dog."}, {"labels": ["sea"]}, {"caption": None}):
        assert client.patch(f"/api/images/{image_id}", json=changes).status_code == 200
    deliver(app)
    assert receiver.kinds() == ["image.succeeded", "image.captioned"]
    told = receiver.seen[1][1]["data"]
    assert (told["caption"], told["caption_source"]["provider"]) == ("A dog.", "human")


def test_an_event_that_is_refused_comes_again_later_under_the_same_id_with_the_same_body(
    app: Flask, client: FlaskClient, receiver: Receiver, service_clock: Clock
) -> None:
    receiver.answer = lambda number: 500 if number <= 2 else 200
    upload(client)
    for _ in range(3):
        deliver(app)
        service_clock.advance(3)
    assert len(receiver.tries) == 3
    assert len(set(receiver.tries)) == 1
    assert len(receiver.seen) == 1
    assert waiting(app) == 0


def test_a_redirect_is_a_refusal_and_is_not_followed(
    app: Flask, client: FlaskClient, receiver: Receiver
) -> None:
    receiver.answer = lambda _number: 307
    upload(client)
    deliver(app)
    assert (len(receiver.tries), waiting(app)) == (1, 1)


def test_later_events_of_a_picture_wait_for_its_earlier_ones(
    app: Flask, client: FlaskClient, receiver: Receiver, service_clock: Clock
) -> None:
    receiver.answer = lambda number: 503 if number == 1 else 200
    image_id = upload(client)
    deliver(app)
    client.delete(f"/api/images/{image_id}")
    deliver(app)
    assert receiver.kinds() == []
    service_clock.advance(2)
    deliver(app)
    assert receiver.kinds() == ["image.succeeded", "image.deleted"]


def test_a_target_that_is_back_gets_everything_that_waited_at_once(
    app: Flask, client: FlaskClient, receiver: Receiver, service_clock: Clock
) -> None:
    receiver.answer = lambda _number: 503
    for width in range(60, 64):
        upload(client, jpeg(width, 50))
        deliver(app)
    for _ in range(12):  # an hour of trying
        service_clock.advance(300)
        deliver(app)
    receiver.answer = lambda _number: 200
    upload(client, png())
    deliver(app)
    assert len(receiver.seen) == 5
    assert waiting(app) == 0


def test_a_target_that_flaps_gets_every_event_under_one_id_and_in_order(
    app: Flask, client: FlaskClient, receiver: Receiver, service_clock: Clock
) -> None:
    receiver.answer = lambda number: (500, WORKED, 200, 200)[number % 4]  # half fail, half of those worked
    ids = [upload(client, jpeg(width, 50)) for width in range(60, 66)]
    for id in ids:
        client.delete(f"/api/images/{id}")
    for _ in range(100):
        deliver(app)
        service_clock.advance(queue.LONGEST_PAUSE_S)
        if not waiting(app):
            break
    assert waiting(app) == 0
    assert len(receiver.tries) > len(receiver.seen) > len(set(receiver.tries)) == 2 * len(ids)
    for id in ids:
        of_one = dict(event for event in receiver.seen if event[1]["data"]["image_id"] == id)
        assert [event["type"] for event in of_one.values()] == ["image.succeeded", "image.deleted"]


def test_an_event_is_given_up_after_three_days_and_replayed_on_request(
    app: Flask, client: FlaskClient, receiver: Receiver, service_clock: Clock
) -> None:
    receiver.answer = lambda _number: 500
    upload(client)
    deliver(app)
    service_clock.advance(timedelta(days=3, seconds=1).total_seconds())
    deliver(app)
    tried = len(receiver.tries)
    service_clock.advance(3600)
    deliver(app)
    assert len(receiver.tries) == tried
    runner = app.test_cli_runner()
    told = runner.invoke(args=["webhooks", "list"]).output
    assert "given up" in told
    assert "hunter2" not in told
    receiver.answer = lambda _number: 200
    assert "1 events are due" in runner.invoke(args=["webhooks", "replay"]).output
    deliver(app)
    assert receiver.kinds() == ["image.succeeded"]


def test_every_target_gets_every_event(make_app: AppFactory, receiver: Receiver) -> None:
    with receiving() as other:
        urls = f"{receiver.url},{other.url}"
        app = make_app(IMGPIPE_WEBHOOK_URL=urls, IMGPIPE_WEBHOOK_SECRET=SECRET)
        upload(app.test_client())
        deliver(app)
        assert receiver.kinds() == other.kinds() == ["image.succeeded"]


def test_a_target_that_is_down_keeps_no_other_waiting(make_app: AppFactory, receiver: Receiver) -> None:
    urls = f"http://127.0.0.1:1/,{receiver.url}"
    app = make_app(IMGPIPE_WEBHOOK_URL=urls, IMGPIPE_WEBHOOK_SECRET=SECRET)
    upload(app.test_client())
    deliver(app)
    assert receiver.kinds() == ["image.succeeded"]
    assert waiting(app) == 1


def test_without_a_target_nothing_is_kept(make_app: AppFactory) -> None:
    app = make_app()
    upload(app.test_client())
    assert waiting(app) == 0


def test_a_refused_upload_leaves_no_event(app: Flask, client: FlaskClient) -> None:
    assert post(client, b"no picture").status_code == 400
    assert waiting(app) == 0


def test_no_more_than_four_are_on_their_way_to_one_target(app: Flask, client: FlaskClient) -> None:
    for width in range(60, 66):
        upload(client, jpeg(width, 50))
    with app.app_context():
        targets = [row.target for row in queue.waiting()][:1]
        claims = [queue.claim(targets, 30) for _ in range(6)]
        assert [claim is not None for claim in claims] == [True] * 4 + [False] * 2
        queue.release([claim for claim in claims if claim])
        assert queue.claim(targets, 30) is not None
        db.session.remove()


def test_a_delivery_whose_process_died_goes_out_again_after_the_lease(
    app: Flask, client: FlaskClient, receiver: Receiver, service_clock: Clock
) -> None:
    upload(client)
    with app.app_context():
        assert queue.claim([queue.waiting()[0].target], 30) is not None
        db.session.remove()
    deliver(app)
    assert receiver.seen == []
    service_clock.advance(31)
    deliver(app)
    assert receiver.kinds() == ["image.succeeded"]


def test_a_clock_that_is_set_back_delays_no_delivery(
    app: Flask, client: FlaskClient, receiver: Receiver, service_clock: Clock
) -> None:
    receiver.answer = lambda number: 500 if number == 1 else 200
    upload(client)
    deliver(app)
    service_clock.advance(-3600)
    deliver(app)
    assert receiver.kinds() == ["image.succeeded"]


def test_a_clock_that_is_set_back_frees_the_ways_of_those_who_died(
    app: Flask, client: FlaskClient, service_clock: Clock
) -> None:
    for width in range(60, 65):
        upload(client, jpeg(width, 50))
    with app.app_context():
        targets = [queue.waiting()[0].target]
        for _ in range(4):
            assert queue.claim(targets, 30)
        assert queue.claim(targets, 30) is None
        service_clock.advance(-3600)
        assert [queue.claim(targets, 30) is not None for _ in range(5)] == [True] * 4 + [False]
        db.session.remove()


def test_the_status_is_told_as_it_was(app: Flask, client: FlaskClient, receiver: Receiver) -> None:
    image_id = upload(client)
    assert shown(client, image_id)["status"] == "success"
    deliver(app)
    assert receiver.seen[0][1]["data"]["status"] == "success"


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("http://127.0.0.1:1/", ""),
        ("http://127.0.0.1:1/", "plain"),
        ("http://127.0.0.1:1/", "whsec_"),
        ("http://127.0.0.1:1/", "whsec_%%%"),
        ("ftp://127.0.0.1/", SECRET),
        ("/hook", SECRET),
    ],
)
def test_a_url_without_secret_or_of_another_kind_stops_the_start(url: str, secret: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load({"IMGPIPE_WEBHOOK_URL": url, "IMGPIPE_WEBHOOK_SECRET": secret})
    assert "IMGPIPE_WEBHOOK_" in str(raised.value)
    assert "plain" not in str(raised.value)


def test_a_log_that_is_stored_is_told_of(app: Flask, client: FlaskClient, receiver: Receiver) -> None:
    client.post("/api/frames", data=b"depth,a\n1.0,7\n", content_type="text/csv")
    deliver(app)
    assert receiver.kinds() == ["log.stored"]
    assert receiver.seen[0][1]["data"] == client.get("/api/frames/logs/default").get_json()["data"]
