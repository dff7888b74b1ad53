"""Uploads are turned away unread while too much waits or the disk is nearly full."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select
from werkzeug.test import TestResponse

from imgpipe.database.engine import writing
from imgpipe.database.models import Image
from tests.api.test_upload import refused
from tests.factories import AppFactory, jpeg, post, post_form, stored_files, upload
from tests.servers import Server, serving

UPLOADS = {
    "/api/images": "file",
    "/api/images/analyze-image": "uploaded_file",
    "/analyze-image": "img",
    "/api/frames": "file",
    "/upload": "file",
}
PLENTY = str(2**40)


def send(client: FlaskClient, path: str) -> TestResponse:
    return post_form(client, path, {UPLOADS[path]: ("a.jpg", jpeg())})


def leave_waiting(app: Flask, count: int) -> None:
    """Take in pictures that nobody processes."""
    app.extensions["imgpipe"].jobs.wake = lambda *_: None
    for _ in range(count):
        upload(app.test_client())


@pytest.mark.parametrize("path", UPLOADS)
def test_a_disk_that_is_nearly_full_takes_no_upload(make_app: AppFactory, path: str) -> None:
    app = make_app(IMGPIPE_MIN_FREE_BYTES=PLENTY)
    response = send(app.test_client(), path)
    body = refused(response, 503, "busy")
    assert "disk" in body["error"]
    assert int(response.headers["Retry-After"]) > 0
    assert stored_files(app) == []


def test_zero_free_bytes_switch_the_look_at_the_disk_off(make_app: AppFactory) -> None:
    assert post(make_app(IMGPIPE_MIN_FREE_BYTES="0").test_client(), jpeg()).status_code == 202


def test_a_full_backlog_takes_no_picture_until_some_are_done(make_app: AppFactory) -> None:
    app = make_app(IMGPIPE_MAX_BACKLOG="3")
    wake = app.extensions["imgpipe"].jobs.wake
    leave_waiting(app, 3)
    client = app.test_client()
    for path in ("/api/images", "/api/images/analyze-image", "/analyze-image"):
        response = send(client, path)
        refused(response, 503, "busy")
        assert int(response.headers["Retry-After"]) > 0
    assert client.get("/api/stats").json["data"]["total"] == 3  # type: ignore[index]
    csv = post_form(client, "/api/frames", {"file": ("a.csv", "depth,0\n1,2\n")})
    assert csv.status_code == 201
    app.extensions["imgpipe"].jobs.wake = wake
    wake("render")
    deadline = time.monotonic() + 30
    while post(client, jpeg()).status_code != 202:  # a count that took long is good for long
        assert time.monotonic() < deadline


def test_a_backlog_of_ten_thousand_is_full_to_the_last_picture(make_app: AppFactory) -> None:
    app = make_app(IMGPIPE_MAX_BACKLOG="10000")
    leave_waiting(app, 1)
    client = app.test_client()
    with app.app_context(), writing(durable=False) as session:
        one = session.execute(select(Image.__table__)).mappings().one()
        ids = [uuid4() for _ in range(9_998)]  # ids of ours would run ten seconds ahead of the clock
        session.execute(insert(Image), [dict(one, id=id, position=place) for place, id in enumerate(ids)])
    last = upload(client)
    for _ in range(3):
        refused(post(client, jpeg()), 503, "busy")
    client.delete(f"/api/images/{last}")
    deadline = time.monotonic() + 30
    while post(client, jpeg()).status_code == 503:
        assert time.monotonic() < deadline
    refused(post(client, jpeg()), 503, "busy")


def test_what_was_not_taken_in_does_not_count(make_app: AppFactory) -> None:
    client = make_app(IMGPIPE_MAX_BACKLOG="1").test_client()
    for _ in range(3):
        refused(client.post("/api/images", data=b""), 400, "no_file")
    assert post(client, jpeg()).status_code == 202


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("full"), IMGPIPE_MIN_FREE_BYTES=PLENTY) as running:
        yield running


def ask_for_leave(port: int) -> bytes:
    """Announce a picture, send nothing of it, and return the whole answer."""
    head = b"POST /api/images HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
    head += b"Expect: 100-continue\r\nContent-Length: 30000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(head)
        answer = b""
        while part := client.recv(4096):
            answer += part
    return answer


def test_who_waits_for_leave_is_told_before_it_sends_a_byte(full: Server) -> None:
    answer = ask_for_leave(full.port)
    assert answer.startswith(b"HTTP/1.1 503 "), answer
    assert b"retry-after: " in answer.lower()
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "busy"


def test_who_sends_at_once_can_read_the_answer_too(full: Server) -> None:
    for _ in range(3):
        answer = requests.post(
            f"{full.url}/api/images", files={"file": ("a.jpg", bytes(20 * 2**20))}, timeout=30
        )
        assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    with contextlib.suppress(FileNotFoundError):
        assert not [path for path in (full.data_dir / "media").rglob("*") if path.suffix in (".jpg", ".part")]
