"""Labels: counted in constant time, paged, and found together."""

import base64
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.test_listing import page
from tests.api.test_upload import refused
from tests.factories import jpeg, shown, upload


def labelled(client: FlaskClient, *labels: str) -> str:
    image_id = upload(client)
    assert client.patch(f"/api/images/{image_id}", json={"labels": labels}).status_code == 200
    return image_id


def counts(client: FlaskClient) -> dict[str, int]:
    return {item["label"]: item["count"] for item in page(client, "/api/labels")["data"]}


def ids(client: FlaskClient, **query: Any) -> list[str]:
    return [item["image_id"] for item in page(client, "/api/images", **query)["data"]]


def test_labels_are_counted_those_of_most_pictures_first(client: FlaskClient) -> None:
    labelled(client, "dog", "sea")
    gone = labelled(client, "sea", "犬")
    assert list(counts(client).items()) == [("sea", 2), ("dog", 1), ("犬", 1)]
    client.patch(f"/api/images/{gone}", json={"labels": ["dog"]})
    assert counts(client) == {"dog": 2, "sea": 1}
    client.delete(f"/api/images/{gone}")
    assert counts(client) == {"dog": 1, "sea": 1}


def test_labels_are_paged_both_ways(client: FlaskClient) -> None:
    labelled(client, "a", "b", "c", "d")
    labelled(client, "d")
    first = page(client, "/api/labels", limit=2)
    second = page(client, first["next"])
    assert [item["label"] for item in first["data"] + second["data"]] == ["d", "a", "b", "c"]
    assert (first["previous"], second["next"]) == (None, None)
    assert page(client, second["previous"])["data"] == first["data"]


def test_a_cursor_of_another_list_is_refused(client: FlaskClient) -> None:
    labelled(client, "a")
    labelled(client, "b")
    other = page(client, "/api/images", limit=1)["next"].partition("cursor=")[2]
    refused(client.get(f"/api/labels?cursor={other}"), 400, "invalid_cursor")
    ours = page(client, "/api/labels", limit=1)["next"].partition("cursor=")[2]
    refused(client.get(f"/api/images?cursor={ours}"), 400, "invalid_cursor")


def test_pictures_are_found_by_all_the_labels_named(client: FlaskClient) -> None:
    both, sea = labelled(client, "sea", "dog"), labelled(client, "sea")
    labelled(client, "dog")
    assert ids(client, label="sea") == [sea, both]
    assert ids(client, label=["sea", "dog"]) == [both]
    assert ids(client, label=["sea", "dog"], status="success", q="photo") == [both]
    assert ids(client, label=["sea", "cat"]) == []
    assert ids(client, label="SEA") == []


def test_a_label_is_paged_like_any_list(client: FlaskClient) -> None:
    made = [labelled(client, "sea") for _ in range(5)][::-1]
    first = page(client, "/api/images", label="sea", limit=2)
    second = page(client, first["next"])
    assert [item["image_id"] for item in first["data"] + second["data"]] == made[:4]
    assert page(client, second["previous"])["data"] == first["data"]


def test_pictures_are_found_by_the_state_of_their_caption(client: FlaskClient) -> None:
    done, skipped = labelled(client), labelled(client)
    client.patch(f"/api/images/{done}", json={"caption": "A dog."})
    assert ids(client, caption_status="done") == [done]
    assert ids(client, caption_status="skipped") == [skipped]
    refused(client.get("/api/images?caption_status=x"), 400, "invalid_parameter")


@pytest.mark.parametrize("asked", ["cafe\u0301", " café ", "caf\x00é"])
def test_a_label_is_found_however_it_is_spelt(client: FlaskClient, asked: str) -> None:
    image_id = labelled(client, "café")
    assert ids(client, label=asked) == [image_id]
    exported = client.get("/api/exports", query_string={"format": "jsonl", "label": asked})
    assert image_id in exported.text


@pytest.mark.parametrize("sent", ["sea, dog", ["sea", "dog", "sea"]])
def test_labels_come_with_base64_in_json(client: FlaskClient, sent: Any) -> None:
    body = {"img": base64.b64encode(jpeg()).decode(), "labels": sent}
    response = client.post("/api/images", json=body)
    image_id = response.json["data"]["image_id"]  # type: ignore[index]
    assert shown(client, image_id)["labels"] == ["sea", "dog"]
    for none in ({"a": 1}, {}, 0, False):
        refused(client.post("/api/images", json=body | {"labels": none}), 400, "invalid_parameter")


def test_a_deleted_picture_leaves_no_label_behind(client: FlaskClient, app: Flask) -> None:
    client.delete(f"/api/images/{labelled(client, 'sea')}")
    assert ids(client, label="sea") == []
    assert counts(client) == {}
