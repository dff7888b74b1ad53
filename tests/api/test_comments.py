"""Comments: added, paged newest first, gone with their picture, refused when blank."""

from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from imgpipe.database.engine import db
from imgpipe.database.models import Comment
from tests.api.test_listing import page
from tests.api.test_upload import refused
from tests.factories import upload


def test_a_comment_is_stored_and_listed(client: FlaskClient) -> None:
    url = f"/api/images/{upload(client)}/comments"
    response = client.post(url, json={"text": "lovely"})
    assert response.status_code == 201
    comment = response.json["data"]  # type: ignore[index]
    assert set(comment) == {"comment_id", "text", "created_at", "edited_at"}
    assert page(client, url)["data"] == [comment]


def test_comments_are_paged_newest_first(client: FlaskClient) -> None:
    url = f"/api/images/{upload(client)}/comments"
    for number in range(5):
        client.post(url, json={"text": str(number)})
    first = page(client, url, limit=2)
    second = page(client, first["next"])
    assert [item["text"] for item in first["data"] + second["data"]] == ["4", "3", "2", "1"]
    assert [item["text"] for item in page(client, second["previous"])["data"]] == ["4", "3"]


def test_comments_of_other_pictures_stay_apart(client: FlaskClient) -> None:
    urls = [f"/api/images/{upload(client)}/comments" for _ in range(2)]
    client.post(urls[0], json={"text": "mine"})
    assert page(client, urls[1])["data"] == []


@pytest.mark.parametrize(
    "body", [{}, {"text": ""}, {"text": " \n\t"}, {"text": "\0"}, {"text": "x" * 10_001}]
)
def test_a_blank_or_endless_comment_is_refused(client: FlaskClient, body: dict[str, Any]) -> None:
    refused(client.post(f"/api/images/{upload(client)}/comments", json=body), 400, "invalid_parameter")


@pytest.mark.parametrize("text", [1, None, ["x"], {"a": 1}])
def test_a_comment_that_is_no_text_is_refused(client: FlaskClient, text: object) -> None:
    response = client.post(f"/api/images/{upload(client)}/comments", json={"text": text})
    refused(response, 400, "invalid_parameter")


def test_ten_thousand_characters_are_fine_and_stay_text(client: FlaskClient) -> None:
    text = "<script>" + "🎈" * 9_992
    response = client.post(f"/api/images/{upload(client)}/comments", json={"text": text})
    assert response.json["data"]["text"] == text  # type: ignore[index]


def test_what_postgresql_cannot_hold_is_dropped(client: FlaskClient) -> None:
    response = client.post(f"/api/images/{upload(client)}/comments", json={"text": "a\0b\ud800c"})
    assert response.json["data"]["text"] == "abc"  # type: ignore[index]


def test_a_picture_that_is_not_there_takes_no_comment(client: FlaskClient) -> None:
    url = "/api/images/00000000-0000-7000-8000-000000000000/comments"
    refused(client.post(url, json={"text": "x"}), 404, "image_not_found")
    refused(client.get(url), 404, "image_not_found")


@pytest.mark.parametrize("sent", [{"json": {"text": " "}}, {"json": {}}, {"data": "{"}])
@pytest.mark.parametrize("path", ["/api/images/{}/comments", "/image/{}/comment"])
def test_that_a_picture_is_not_there_is_said_before_what_is_wrong_with_the_comment(
    client: FlaskClient, path: str, sent: dict[str, Any]
) -> None:
    refused(client.post(path.format(UUID(int=7)), **sent), 404, "image_not_found")


def test_comments_go_with_their_picture(client: FlaskClient, app: Flask) -> None:
    image_id = upload(client)
    client.post(f"/api/images/{image_id}/comments", json={"text": "x"})
    client.delete(f"/api/images/{image_id}")
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Comment)) == 0
