"""The caption stage: one outcome a picture, told honestly, never paid for twice, never in the way."""

import base64
import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from imgpipe.clock import utc_now
from imgpipe.database.engine import db, writing
from imgpipe.database.models import Image
from imgpipe.extensions import parts
from imgpipe.jobs.backlogs import Backlogs
from imgpipe.jobs.threads import ThreadJobs
from imgpipe.pictures import caption, pause, queue, recaption, stats
from imgpipe.pictures.backlog import DatabaseBacklog
from tests.captions.provider import SENTENCE, Provider
from tests.conftest import Clock
from tests.factories import AppFactory, jpeg, shown, transparent_png, upload

KEY = "sk-test-4mZq8Wv2Lr7Xc1Tn"


@pytest.fixture
def app(make_app: AppFactory, provider: Provider) -> Flask:
    return make_app(**openai(provider))


def openai(provider: Provider, **options: str) -> dict[str, str]:
    settings = {
        "IMGPIPE_CAPTIONER": "openai",
        "OPENAI_API_KEY": KEY,
        "IMGPIPE_CAPTION_URL": provider.openai_url,
        "IMGPIPE_CAPTION_MODEL": "vision-1",
    }
    return settings | options


def change(app: Flask, **values: Any) -> None:
    """Set columns of every picture that some work is still to be done on."""
    with app.app_context(), writing(durable=False) as session:
        session.execute(update(Image).values(**values))


def work_on(app: Flask, times: int = 5) -> None:
    """Do what is due in the caption lanes, as if its time had come."""
    for _ in range(times):
        change(app, due_at=utc_now())
        with app.app_context():
            parts.jobs.wake(queue.CAPTION)


def row(app: Flask) -> dict[str, Any]:
    with app.app_context():
        return dict(db.session.execute(select(Image.__table__)).mappings().one())


def test_a_picture_gets_its_caption_and_says_from_whom(client: FlaskClient) -> None:
    image = shown(client, upload(client))
    assert (image["status"], image["caption"], image["caption_status"]) == ("success", SENTENCE, "done")
    assert image["caption_source"] == {"provider": "openai", "model": "vision-1"}
    assert image["caption_error"] is None


def test_without_a_captioner_it_is_skipped(make_app: AppFactory) -> None:
    client = make_app().test_client()
    image = shown(client, upload(client))
    assert (image["status"], image["caption"], image["caption_status"]) == ("success", None, "skipped")


def test_a_picture_that_failed_is_not_captioned(client: FlaskClient, provider: Provider) -> None:
    image = shown(client, upload(client, jpeg(900, 900)[:9000]))
    assert (image["status"], image["caption_status"]) == ("failed", "skipped")
    assert provider.posts == []


def test_the_captioner_is_sent_our_medium_as_jpeg_never_the_original(
    client: FlaskClient, provider: Provider
) -> None:
    upload(client, transparent_png(1200, 800))
    body = json.loads(provider.posts[0].body)
    assert '"data:image/jpeg;base64,/9j/' in json.dumps(body)


def test_a_failed_caption_leaves_a_successful_picture_with_the_reason(
    client: FlaskClient, provider: Provider
) -> None:
    provider.fault = "empty"
    image = shown(client, upload(client))
    assert (image["status"], image["error"], image["caption"]) == ("success", None, None)
    assert image["caption_status"] == "failed"
    assert image["caption_error"]["code"] == "empty"
    assert client.get(image["thumbnails"]["small"]).status_code == 200


def test_error_text_is_never_a_caption(client: FlaskClient, provider: Provider) -> None:
    provider.fault = "error_200"
    assert shown(client, upload(client))["caption"] is None


def test_a_passing_fault_is_tried_three_times_in_all(
    client: FlaskClient, app: Flask, provider: Provider
) -> None:
    provider.fault = "status_500"
    image_id = upload(client)
    assert shown(client, image_id)["status"] == "processing"
    work_on(app)
    image = shown(client, image_id)
    assert (image["status"], image["caption_error"]["code"]) == ("success", "upstream_error")
    assert len(provider.posts) == 3


def test_a_second_try_that_succeeds_is_a_success(client: FlaskClient, app: Flask, provider: Provider) -> None:
    provider.fault = "status_500"
    image_id = upload(client)
    provider.fault = ""
    work_on(app)
    assert shown(client, image_id)["caption"] == SENTENCE


def test_retry_after_holds_no_thread_but_makes_the_row_due_later(
    client: FlaskClient, app: Flask, provider: Provider
) -> None:
    provider.fault = "rate_limit_1"
    began = utc_now()
    upload(client)
    told = row(app)
    assert told["stage"] == queue.RECAPTION
    assert not told["running"]
    assert timedelta(seconds=1) <= told["due_at"] - began


def test_a_wait_of_a_day_is_refused_at_once(client: FlaskClient, provider: Provider) -> None:
    provider.fault = "rate_limit_99999"
    image = shown(client, upload(client))
    assert image["caption_error"]["code"] == "rate_limited"
    assert len(provider.posts) == 1


def test_the_caption_stage_ends_within_a_minute_of_its_first_call(
    client: FlaskClient, app: Flask, provider: Provider
) -> None:
    provider.fault = "status_500"
    image_id = upload(client)
    change(app, caption_began_at=utc_now() - timedelta(seconds=50))
    work_on(app, 1)
    image = shown(client, image_id)
    assert (image["status"], image["caption_error"]["code"]) == ("success", "timeout")
    assert len(provider.posts) == 1


def test_a_worker_that_lost_its_claim_makes_no_call(
    app: Flask, client: FlaskClient, provider: Provider
) -> None:
    provider.fault = "status_500"
    upload(client)
    calls = len(provider.posts)
    change(app, due_at=utc_now())
    with app.app_context():
        claim = queue.claim(queue.CAPTION, 30)
        assert claim is not None
        change(app, attempt=claim.attempt + 1)
        assert caption.work(claim) is None
    assert len(provider.posts) == calls


def test_calls_are_counted_before_they_are_made(app: Flask, client: FlaskClient, provider: Provider) -> None:
    provider.fault = "status_500"
    upload(client)
    assert row(app)["caption_calls"] == 1


@pytest.mark.parametrize(
    "fault", ["repeat_key", "insufficient_quota", "status_404", "status_410", "status_402"]
)
def test_after_a_permanent_fault_the_following_pictures_make_no_call(
    client: FlaskClient, provider: Provider, fault: str
) -> None:
    provider.fault = fault
    first = shown(client, upload(client))
    second = shown(client, upload(client, jpeg(100, 100)))
    assert len(provider.posts) == 1
    assert first["caption_error"]["code"] in ("auth_error", "quota_exhausted", "config_error")
    assert (second["status"], second["caption_error"]["code"]) == ("success", "paused")
    assert second["caption_error"]["message"].startswith("Captioning is paused: ")


def test_the_pause_is_told_by_health_which_stays_ready(client: FlaskClient, provider: Provider) -> None:
    provider.fault = "insufficient_quota"
    upload(client)
    ready = client.get("/api/health/ready")
    assert ready.status_code == 200
    assert ready.json is not None
    assert ready.json["captions"]["paused"].startswith(
        "quota_exhausted: openai vision-1 at 127.0.0.1: HTTP 429"
    )


def pending(client: FlaskClient, provider: Provider, count: int) -> list[dict[str, Any]]:
    """Begin a pause, and upload some pictures meanwhile."""
    provider.fault = "insufficient_quota"
    upload(client)
    return [shown(client, upload(client, jpeg(100 + number, 100))) for number in range(count)]


def test_what_comes_during_a_pause_is_a_success_whose_caption_is_pending_with_the_reason(
    client: FlaskClient, provider: Provider
) -> None:
    image = pending(client, provider, 1)[0]
    assert (image["status"], image["caption_status"], image["caption"]) == ("success", "pending", None)
    assert image["caption_error"]["code"] == "paused"
    assert client.get("/api/stats").json["data"]["processing"] == 0  # type: ignore[index]


def test_captions_that_waited_are_made_by_themselves_when_the_pause_ends_the_oldest_first(
    client: FlaskClient, app: Flask, provider: Provider, service_clock: Clock
) -> None:
    waiting = pending(client, provider, 3)
    provider.fault, provider.sentence = "", "A picture"
    before = len(provider.posts)
    with app.app_context():
        assert queue.due() == []
        service_clock.advance(pause.PAUSE_S)
        assert queue.due() == [queue.CAPTION]
        parts.jobs.wake(queue.CAPTION)
    images = [shown(client, image["image_id"]) for image in waiting]
    assert {(each["caption"], each["caption_status"], each["caption_error"]) for each in images} == {
        ("A picture", "done", None)
    }
    sent = [json.loads(call.body) for call in provider.posts[before:]]
    assert len(sent) == 3
    assert [medium(client, image) for image in images] == [picture(body) for body in sent]


def medium(client: FlaskClient, image: dict[str, Any]) -> bytes:
    data: bytes = client.get(image["thumbnails"]["medium"]).data
    return data


def picture(body: dict[str, Any]) -> bytes:
    url = body["messages"][0]["content"][1]["image_url"]["url"]
    return base64.b64decode(url.partition(",")[2])


def test_a_pause_that_was_too_short_lets_one_call_through_at_its_end(
    client: FlaskClient, app: Flask, provider: Provider, service_clock: Clock
) -> None:
    pending(client, provider, 3)
    for again in range(2, 5):
        service_clock.advance(pause.PAUSE_S)
        with app.app_context():
            parts.jobs.wake(queue.CAPTION)
            assert queue.due() == []
        assert len(provider.posts) == again
    statuses = [image["caption_status"] for image in listed(client)]
    assert statuses == ["pending"] * 3 + ["failed"]


def test_a_restart_forgets_no_caption_that_waits(
    make_app: AppFactory, provider: Provider, service_clock: Clock
) -> None:
    options = openai(provider)
    client = make_app(**options).test_client()
    image_id = pending(client, provider, 1)[0]["image_id"]
    provider.fault = ""
    service_clock.advance(pause.PAUSE_S)
    again = make_app(**options)
    with again.app_context():
        parts.jobs.wake(queue.CAPTION)
    assert shown(client, image_id)["caption"] == SENTENCE


def test_a_pause_under_a_clock_that_is_set_back_is_over(
    client: FlaskClient, app: Flask, provider: Provider, service_clock: Clock
) -> None:
    pending(client, provider, 1)
    service_clock.advance(-3600)
    with app.app_context():
        assert pause.find() is None
        assert queue.due() == [queue.CAPTION]


def test_a_caption_that_waits_can_be_asked_for_at_once(client: FlaskClient, provider: Provider) -> None:
    image_id = pending(client, provider, 1)[0]["image_id"]
    provider.fault = ""
    assert client.post(f"/api/images/{image_id}/retry").status_code == 202
    assert shown(client, image_id)["caption"] == SENTENCE


def test_the_command_ends_although_captions_wait(make_app: AppFactory, provider: Provider) -> None:
    client = make_app().test_client()
    for number in range(3):
        upload(client, jpeg(100 + number, 100))
    provider.fault = "insufficient_quota"
    result = make_app(**openai(provider)).test_cli_runner().invoke(args=["images", "caption", "--missing"])
    assert result.exit_code == 0, result.output
    assert len(provider.posts) == 1
    assert sorted(image["caption_status"] for image in listed(client)) == ["failed", "pending", "pending"]


def test_captions_that_wait_for_a_captioner_that_is_gone_are_skipped(
    make_app: AppFactory, client: FlaskClient, provider: Provider
) -> None:
    image_id = pending(client, provider, 1)[0]["image_id"]
    with make_app().app_context():
        parts.jobs.wake(queue.CAPTION)
    image = shown(client, image_id)
    assert (image["caption_status"], image["caption_error"]) == ("skipped", None)


def test_a_failed_recaption_keeps_the_old_caption_and_says_why(
    client: FlaskClient, app: Flask, provider: Provider
) -> None:
    image_id = upload(client)
    change(app, caption_key="another captioner")
    provider.fault = "empty"
    with app.app_context():
        recaption.again("all")
    work_on(app)
    image = shown(client, image_id)
    assert (image["status"], image["caption"], image["caption_status"]) == ("success", SENTENCE, "done")
    assert image["caption_error"]["code"] == "empty"
    provider.fault, provider.sentence = "", "A cat"
    assert client.post(f"/api/images/{image_id}/retry").status_code == 202
    image = shown(client, image_id)
    assert (image["caption"], image["caption_status"], image["caption_error"]) == ("A cat", "done", None)


@pytest.mark.parametrize("which", ["missing", "all"])
def test_captioning_two_files_of_the_same_bytes_anew_comes_to_an_end(
    make_app: AppFactory, provider: Provider, which: str
) -> None:
    client = make_app().test_client()
    for _ in range(2):
        upload(client)
    app = make_app(**openai(provider))
    result = app.test_cli_runner().invoke(args=["images", "caption", f"--{which}"])
    assert result.exit_code == 0, result.output
    assert [image["caption"] for image in listed(client)] == [SENTENCE] * 2
    assert len(provider.posts) == 1


def test_a_new_key_is_a_new_chance(make_app: AppFactory, provider: Provider) -> None:
    provider.fault = "repeat_key"
    upload(make_app(**openai(provider)).test_client())
    provider.fault = ""
    client = make_app(**openai(provider, OPENAI_API_KEY="sk-other-9999999999")).test_client()
    assert shown(client, upload(client, jpeg(100, 100)))["caption"] == SENTENCE


def test_retry_captions_a_picture_once_the_fault_is_mended(client: FlaskClient, provider: Provider) -> None:
    provider.fault = "repeat_key"
    image_id = upload(client)
    provider.fault = ""
    response = client.post(f"/api/images/{image_id}/retry")
    assert response.status_code == 202
    image = shown(client, image_id)
    assert (image["status"], image["caption"], image["caption_error"]) == ("success", SENTENCE, None)
    totals = client.get("/api/stats").json
    assert totals is not None
    assert (totals["data"]["total"], totals["data"]["success"]) == (1, 1)


def test_the_same_bytes_are_paid_for_once(client: FlaskClient, provider: Provider) -> None:
    first, second = shown(client, upload(client)), shown(client, upload(client))
    assert len(provider.posts) == 1
    assert second["caption"] == first["caption"] == SENTENCE
    assert second["caption_source"] == first["caption_source"]


def test_another_prompt_is_another_caption(make_app: AppFactory, provider: Provider) -> None:
    upload(make_app(**openai(provider)).test_client())
    other = make_app(**openai(provider, IMGPIPE_CAPTION_PROMPT="Say it in French.")).test_client()
    upload(other)
    assert len(provider.posts) == 2


def test_a_picture_waits_while_its_twin_is_asked_about(
    client: FlaskClient, app: Flask, provider: Provider
) -> None:
    provider.fault = "status_500"
    upload(client)
    change(app, running=True, calling=True, due_at=utc_now() + timedelta(seconds=30))
    provider.fault = ""
    upload(client)
    assert len(provider.posts) == 1


def test_an_older_picture_that_comes_back_waits_for_the_younger_one_that_is_asked_about(
    client: FlaskClient, app: Flask, provider: Provider
) -> None:
    provider.fault = "status_500"
    upload(client)
    older = row(app)["id"]
    upload(client)
    asked = len(provider.posts)
    with app.app_context(), writing(durable=False) as session:
        younger = update(Image).where(Image.id != older)
        session.execute(younger.values(running=True, calling=True, due_at=utc_now() + timedelta(seconds=30)))
        session.execute(update(Image).where(Image.id == older).values(due_at=utc_now()))
    with app.app_context():
        parts.jobs.wake(queue.CAPTION)
    assert len(provider.posts) == asked


def test_twins_that_are_claimed_at_the_same_moment_are_paid_for_once(
    make_app: AppFactory, provider: Provider
) -> None:
    client = make_app().test_client()
    for _ in range(6):
        upload(client)
    app = make_app(**openai(provider, IMGPIPE_CAPTION_WORKERS="6"))
    with app.app_context():
        assert recaption.again("missing") == 6
        settings = parts.settings
        stages = dict.fromkeys(queue.LANES[queue.CAPTION], caption.STAGE)
        own = DatabaseBacklog(stages, settings.lease_s)
        backlog = Backlogs({queue.CAPTION: [own]}, dict.fromkeys(stages, own), app.app_context)
    jobs = ThreadJobs(backlog, {queue.CAPTION: 6}, settings.lease_s)
    jobs.start()
    deadline = time.monotonic() + 30
    while {image["caption"] for image in listed(client)} != {SENTENCE}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    jobs.close()
    assert len(provider.posts) == 1


def listed(client: FlaskClient) -> list[dict[str, Any]]:
    body: dict[str, Any] = client.get("/api/images").json or {}
    images: list[dict[str, Any]] = body["data"]
    return images


def test_a_kill_during_the_third_call_makes_it_no_fourth(
    client: FlaskClient, app: Flask, provider: Provider
) -> None:
    provider.fault = "status_500"
    image_id = upload(client)
    calls = len(provider.posts)
    change(app, caption_calls=3, running=True, calling=True)
    work_on(app, 1)
    image = shown(client, image_id)
    assert (image["caption_status"], image["caption_error"]["code"]) == ("failed", "upstream_error")
    assert len(provider.posts) == calls


def test_neither_key_nor_data_uri_is_kept_or_logged_or_answered(
    client: FlaskClient, app: Flask, provider: Provider
) -> None:
    provider.fault = "repeat_key"
    answer = client.get(f"/api/images/{upload(client)}").text
    folder: Path = app.extensions["imgpipe"].settings.data_dir
    told = answer + (folder / "logs/app.log").read_text() + client.get("/api/health/ready").text
    stored = b"".join(path.read_bytes() for path in folder.glob("imgpipe.db*"))
    assert KEY not in told
    assert KEY[8:] not in told
    assert "data:image" not in told
    assert KEY.encode() not in stored
    assert b"data:image" not in stored


@pytest.mark.parametrize(
    ("fault", "caption"),
    [
        ("unprintable", "A dog runs"),
        ("script", "<script>alert(1)</script>"),
        ("megabyte", "a" * 1000),
    ],
)
def test_a_strange_caption_is_stored_as_text_within_bounds(
    client: FlaskClient, provider: Provider, fault: str, caption: str
) -> None:
    provider.fault = fault
    assert shown(client, upload(client))["caption"] == caption


def test_a_captioner_that_crashes_costs_the_caption_not_the_picture(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        app.extensions["imgpipe"].captioner = None
        image_id = upload(client)
        db.session.execute(
            update(Image).values(
                stage="caption", status="processing", running=True, crashes=2, due_at=utc_now()
            )
        )
        db.session.commit()
    work_on(app, 1)
    image = shown(client, image_id)
    assert (image["status"], image["caption_error"]["code"]) == ("success", "upstream_error")


def test_the_command_captions_what_is_missing_and_changes_nothing_else(
    make_app: AppFactory, provider: Provider
) -> None:
    client = make_app().test_client()
    image_id = upload(client)
    before = shown(client, image_id)
    app = make_app(**openai(provider))
    result = app.test_cli_runner().invoke(args=["images", "caption", "--missing"])
    assert result.exit_code == 0, result.output
    after = shown(client, image_id)
    assert after["caption"] == SENTENCE
    changed = {name for name in after if after[name] != before[name]}
    assert changed <= {"caption", "caption_status", "caption_source", "processing_time_ms"}


def test_a_stage_takes_no_time_from_the_thumbnails(client: FlaskClient, provider: Provider) -> None:
    began = time.perf_counter()
    image = shown(client, upload(client))
    assert image["processing_time_ms"] <= (time.perf_counter() - began) * 1000


def test_captions_made_anew_with_retries_leave_the_statistics_true(
    client: FlaskClient, app: Flask, provider: Provider
) -> None:
    upload(client)
    change(app, caption_key="another captioner")
    provider.fault = "status_500"
    with app.app_context():
        recaption.again("all")
    work_on(app)
    with app.app_context():
        assert stats.totals().success == 1
        assert stats.totals().worked_ms == db.session.scalar(select(Image.worked_ms))
    assert len(provider.posts) == 4
