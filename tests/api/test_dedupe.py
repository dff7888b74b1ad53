"""Known bytes can be answered with the picture that is there, however many bring them at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.test_listing import page
from tests.api.test_upload import refused
from tests.factories import AppFactory, jpeg, post_form, stored_files, upload


def post(client: FlaskClient, data: bytes, query: str = "?dedupe=true") -> TestResponse:
    return post_form(client, f"/api/images{query}", {"file": ("photo.jpg", data)})


def test_known_bytes_are_answered_with_the_oldest_picture_that_has_them(
    client: FlaskClient, app: Flask
) -> None:
    oldest = upload(client, jpeg())
    upload(client, jpeg())
    before = stored_files(app)
    response = post(client, jpeg())
    assert response.status_code == 200
    data = response.json["data"]  # type: ignore[index]
    assert (data["image_id"], data["duplicate"], data["status"]) == (oldest, True, "success")
    assert response.headers["Location"] == f"/api/images/{oldest}"
    assert stored_files(app) == before


def test_new_bytes_are_taken_in(client: FlaskClient) -> None:
    response = post(client, jpeg())
    assert (response.status_code, "duplicate" in response.json["data"]) == (202, False)  # type: ignore[index]


def test_bytes_that_failed_are_not_known(client: FlaskClient) -> None:
    broken = jpeg(900, 900)[:9000]
    assert [post(client, broken).status_code for _ in range(2)] == [202, 202]


def test_the_installation_decides_unless_the_request_does(make_app: AppFactory) -> None:
    client = make_app(IMGPIPE_DEDUPE="true").test_client()
    assert [post(client, jpeg(), "").status_code for _ in range(2)] == [202, 200]
    assert post(client, jpeg(), "?dedupe=false").status_code == 202
    refused(post(client, jpeg(), "?dedupe=perhaps"), 400, "invalid_parameter")


def test_the_older_routes_follow_the_installation(make_app: AppFactory) -> None:
    client = make_app(IMGPIPE_DEDUPE="true").test_client()
    made = {client.post("/analyze-image", data={"img": (None, b"")}).status_code}
    form = {"img": ("photo.jpg", jpeg())}
    ids = {post_form(client, "/analyze-image", dict(form)).json["uuid"] for _ in range(2)}  # type: ignore[index]
    assert (made, len(ids)) == ({400}, 1)


@pytest.mark.parametrize("jobs", ["threads"])
def test_of_fifty_at_once_one_is_taken_in(make_app: AppFactory, jobs: str) -> None:
    app = make_app(IMGPIPE_JOBS=jobs)
    data = jpeg(64, 48)
    with ThreadPoolExecutor(50) as clients:
        answers = list(clients.map(lambda _: post(app.test_client(), data), range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [202]
    assert len({answer.json["data"]["image_id"] for answer in answers}) == 1  # type: ignore[index]
    assert len(page(app.test_client())["data"]) == 1
    originals = [path for path in stored_files(app) if path.parts[0] == "originals"]
    assert len(originals) == 1
