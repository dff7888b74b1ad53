"""Whoever greps the log for a picture's id reads its whole life, one line a change."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from imgpipe.clock import utc_now
from imgpipe.database.engine import writing
from imgpipe.database.models import Image
from imgpipe.extensions import parts
from imgpipe.pictures import queue, repair
from tests.captions.provider import Provider
from tests.factories import AppFactory, jpeg, upload

LINE = re.compile(r"\S+Z (INFO|WARNING|ERROR) +\[(\S+)\] imgpipe\.\S+: (.*)")
Grep = Callable[[object], list[str]]


@pytest.fixture
def app(make_app: AppFactory, provider: Provider) -> Flask:
    return make_app(
        IMGPIPE_CAPTIONER="openai",
        OPENAI_API_KEY="sk-test-4mZq8Wv2Lr7Xc1Tn",
        IMGPIPE_CAPTION_URL=provider.openai_url,
    )


@pytest.fixture
def grep(tmp_path: Path) -> Grep:
    """Return a function that finds the messages of the lines with an id, without those of requests."""

    def find(id: object) -> list[str]:
        found = [
            LINE.fullmatch(line)
            for line in (tmp_path / "logs" / "app.log").read_text().splitlines()
            if str(id) in line and "api.http.requests" not in line
        ]
        return [match[3] if match else "not one line" for match in found]

    return find


def work_on(app: Flask, lane: str) -> None:
    """Do what is due in a lane, as if its time had come."""
    with app.app_context():
        with writing(durable=False) as session:
            session.execute(update(Image).where(Image.stage.is_not(None)).values(due_at=utc_now()))
        parts.jobs.wake(lane)


def assert_tells(lines: list[str], *patterns: str) -> None:
    assert len(lines) == len(patterns), lines
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(pattern + r".*\b\d+ ms", line), line


def test_a_picture_that_goes_well(client: FlaskClient, grep: Grep) -> None:
    image_id = upload(client, jpeg(90, 60))
    client.delete(f"/api/images/{image_id}")
    assert_tells(
        grep(image_id),
        rf"accepted {image_id}: jpg, \d+ bytes, ",
        r"rendered 90x60 jpg, attempt 1, ",
        r"captioned by openai \S+, attempt 2, ",
        rf"deleted {image_id}, ",
    )


def test_a_picture_that_fails_tells_how_long_that_took(client: FlaskClient, grep: Grep) -> None:
    whole = jpeg(2000, 1500)
    image_id = upload(client, whole[: len(whole) // 2])
    assert not grep(image_id)[-1].endswith(" 0 ms")
    assert client.get(f"/api/images/{image_id}").get_json()["data"]["processing_time_ms"] > 0


def test_a_damaged_picture_that_is_tried_again(client: FlaskClient, grep: Grep) -> None:
    image_id = upload(client, jpeg(900, 900)[:9000])
    client.post(f"/api/images/{image_id}/retry")
    assert_tells(
        grep(image_id),
        "accepted ",
        "failed: corrupt_image: .*, attempt 1, ",
        rf"retried {image_id}: render, ",
        "failed: corrupt_image: .*, attempt 2, ",
    )


def test_a_caption_that_fails_is_tried_again_and_given_up(
    app: Flask, client: FlaskClient, provider: Provider, grep: Grep
) -> None:
    provider.fault = "status_500"
    image_id = upload(client)
    for _ in range(3):
        work_on(app, queue.CAPTION)
    lines = grep(image_id)
    assert_tells(
        lines[2:],
        "caption retried in .* s: upstream_error: .*, attempt 2, ",
        "caption retried in .* s: upstream_error: .*, attempt 3, ",
        "caption failed: upstream_error: .*, attempt 4, ",
    )


def test_a_picture_that_crashes_its_workers(app: Flask, client: FlaskClient, grep: Grep) -> None:
    wake, parts_of_app = app.extensions["imgpipe"].jobs.wake, app.extensions["imgpipe"]
    parts_of_app.jobs.wake = lambda *_: None
    image_id = upload(client)
    parts_of_app.jobs.wake = wake
    with app.app_context(), writing(durable=False) as session:
        session.execute(update(Image).values(crashes=3, running=False, due_at=utc_now() - timedelta(1)))
    work_on(app, queue.RENDER)
    assert_tells(grep(image_id)[1:], "given up: crashed: Processing this picture .*, attempt 1, ")


def test_a_picture_whose_files_the_doctor_misses(app: Flask, client: FlaskClient, grep: Grep) -> None:
    image_id = upload(client)
    with app.app_context():
        repair.fail(UUID(image_id), "original_missing", "The original file is missing.")
    assert grep(image_id)[-1] == f"failed {image_id}: original_missing: The original file is missing."


def test_as_json_each_line_is_an_object_with_the_id_of_request_or_picture(
    make_app: AppFactory, tmp_path: Path
) -> None:
    client = make_app(IMGPIPE_LOG_FORMAT="json").test_client()
    answer = client.post("/api/images", data=jpeg(), headers={"Content-Type": "image/jpeg"})
    image_id, request_id = answer.get_json()["data"]["image_id"], answer.headers["X-Request-ID"]
    lines = map(json.loads, (tmp_path / "logs" / "app.log").read_text().splitlines())
    told = {line["message"].split()[0]: line["about"] for line in lines}
    assert (told["accepted"], told["rendered"]) == (request_id, image_id)
