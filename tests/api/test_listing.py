"""The list is endless: newest first, by key, without gap or repeat."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.test_upload import refused
from tests.factories import jpeg, upload


def page(client: FlaskClient, url: str = "/api/images", **query: Any) -> dict[str, Any]:
    response = client.get(url, query_string=query or None)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json  # type: ignore[assignment]
    return body


def ids(body: dict[str, Any]) -> list[str]:
    return [item["image_id"] for item in body["data"]]


def test_an_empty_list_has_no_pages_beside_it(client: FlaskClient) -> None:
    assert page(client) == {"status": "success", "data": [], "next": None, "previous": None, "error": None}


def test_a_walk_by_next_sees_everything_once_and_previous_leads_back(client: FlaskClient) -> None:
    uploaded = [upload(client, jpeg(16, 16)) for _ in range(7)][::-1]
    first = page(client, limit=3)
    second = page(client, first["next"])
    third = page(client, second["next"])
    assert ids(first) + ids(second) + ids(third) == uploaded
    assert (first["previous"], third["next"]) == (None, None)
    back = page(client, third["previous"])
    assert ids(back) == ids(second)
    start = page(client, back["previous"])
    assert ids(start) == ids(first)
    assert start["previous"] is None


def test_uploads_during_a_walk_neither_repeat_nor_hide_what_was_there(client: FlaskClient) -> None:
    uploaded = [upload(client, jpeg(16, 16)) for _ in range(5)][::-1]
    body = page(client, limit=2)
    seen = ids(body)
    while body["next"]:
        upload(client, jpeg(16, 16))
        body = page(client, body["next"])
        seen += ids(body)
    assert seen == uploaded


def test_items_leave_out_the_exif(client: FlaskClient) -> None:
    upload(client)
    item = page(client)["data"][0]
    assert "exif" not in item
    assert "exif" not in item["metadata"]


def test_the_list_can_be_narrowed_to_a_status_and_the_links_keep_it(client: FlaskClient) -> None:
    good = [upload(client, jpeg(16, 16)) for _ in range(2)]
    bad = upload(client, jpeg(900, 900)[:9000])
    assert ids(page(client, status="failed")) == [bad]
    first = page(client, status="success", limit=1)
    assert ids(first) + ids(page(client, first["next"])) == good[::-1]


@pytest.mark.parametrize("limit", ["0", "501", "-1", "1_0", "1.0", " 1", "٣", "", "9" * 30])
def test_a_limit_out_of_range_or_not_in_plain_digits_is_refused(client: FlaskClient, limit: str) -> None:
    body = refused(client.get("/api/images", query_string={"limit": limit}), 400, "invalid_parameter")
    assert body["details"] == {"parameter": "limit"}


def test_an_unknown_status_is_refused(client: FlaskClient) -> None:
    refused(client.get("/api/images?status=queued"), 400, "invalid_parameter")


def test_unknown_query_names_are_ignored(client: FlaskClient) -> None:
    assert page(client, nonsense="1")["status"] == "success"


def test_a_tampered_cursor_is_refused(client: FlaskClient) -> None:
    for _ in range(2):
        upload(client, jpeg(16, 16))
    cursor = page(client, limit=1)["next"].split("cursor=")[1]
    for at in range(len(cursor)):
        other = "A" if cursor[at] != "A" else "B"
        tampered = cursor[:at] + other + cursor[at + 1 :]
        refused(client.get("/api/images", query_string={"cursor": tampered}), 400, "invalid_cursor")


@pytest.mark.parametrize("cursor", ["x", "é" * 28, "A" * 28, "A" * 5000, "\0", "=" * 28])
def test_a_cursor_that_is_none_is_refused(client: FlaskClient, cursor: str) -> None:
    refused(client.get("/api/images", query_string={"cursor": cursor}), 400, "invalid_cursor")
