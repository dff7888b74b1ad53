"""Captions and labels by people: kept, guarded, told, and out of every machine's reach."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from imgpipe.pictures import recaption
from tests.api.test_listing import page
from tests.api.test_upload import refused
from tests.captions.provider import SENTENCE, Provider
from tests.factories import AppFactory, jpeg, post_form, shown, upload

HUMAN = {"provider": "human", "model": None}


@pytest.fixture
def captioning(make_app: AppFactory, provider: Provider) -> Flask:
    """Return an app with a captioner."""
    return make_app(IMGPIPE_CAPTIONER="openai", OPENAI_API_KEY="k", IMGPIPE_CAPTION_URL=provider.openai_url)


def edit(client: FlaskClient, image_id: str, **changes: Any) -> dict[str, Any]:
    response = client.patch(f"/api/images/{image_id}", json=changes)
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json["data"]  # type: ignore[index]
    return data


def earlier(client: FlaskClient, image_id: str) -> list[dict[str, Any]]:
    response = client.get(f"/api/images/{image_id}/captions")
    assert response.status_code == 200, response.text
    data: list[dict[str, Any]] = response.json["data"]  # type: ignore[index]
    return data


def test_a_person_writes_a_caption_and_labels(client: FlaskClient) -> None:
    image_id = upload(client)
    image = edit(client, image_id, caption="  A dog. ", labels=["beach", " beach", "Zu\u0308rich"])
    assert (image["caption"], image["caption_status"]) == ("A dog.", "done")
    assert image["caption_source"] == HUMAN
    assert image["labels"] == ["beach", "Z\u00fcrich"]
    assert shown(client, image_id) == image
    assert page(client, "/api/images", q="dog")["data"][0]["image_id"] == image_id


def test_a_field_that_is_absent_stays_as_it_is(client: FlaskClient) -> None:
    image_id = upload(client)
    edit(client, image_id, caption="A dog.", labels=["beach"])
    assert edit(client, image_id, labels=[])["caption"] == "A dog."
    assert edit(client, image_id, caption="A cat.")["labels"] == []
    assert edit(client, image_id) == shown(client, image_id)


@pytest.mark.parametrize(
    "changes",
    [
        {"caption": " \n"},
        {"caption": ""},
        {"caption": "x" * 1001},
        {"caption": 7},
        {"labels": "beach"},
        {"labels": ["a,b"]},
        {"labels": [" "]},
        {"labels": ["x" * 65]},
        {"labels": [f"{n}" for n in range(65)]},
        {"labels": [None]},
        {"labels": None},
        {"labels": ["a\nb"]},
        {"title": "no such field"},
    ],
)
def test_what_is_out_of_range_is_refused_and_changes_nothing(
    client: FlaskClient, changes: dict[str, Any]
) -> None:
    image_id = upload(client)
    before = shown(client, image_id)
    body = refused(client.patch(f"/api/images/{image_id}", json=changes), 400, "invalid_parameter")
    assert body["details"]["parameter"] in changes
    assert shown(client, image_id) == before


def test_an_edit_needs_a_picture_and_a_body_that_is_json(client: FlaskClient) -> None:
    missing = "/api/images/00000000-0000-7000-8000-000000000000"
    refused(client.patch(missing, json={"labels": []}), 404, "image_not_found")
    refused(client.get(f"{missing}/captions"), 404, "image_not_found")
    refused(client.patch(f"/api/images/{upload(client)}", data="{"), 400, "invalid_json")


def test_of_two_editors_one_is_told_that_the_other_was_first(client: FlaskClient) -> None:
    url = f"/api/images/{upload(client)}"
    etag = client.get(url).headers["ETag"]
    first = client.patch(url, json={"caption": "One."}, headers={"If-Match": etag})
    assert first.status_code == 200
    second = client.patch(url, json={"caption": "Two."}, headers={"If-Match": etag})
    refused(second, 412, "precondition_failed")
    assert client.get(url).json["data"]["caption"] == "One."  # type: ignore[index]
    again = client.patch(url, json={"caption": "Two."}, headers={"If-Match": first.headers["ETag"]})
    assert (again.status_code, again.headers["ETag"]) == (200, client.get(url).headers["ETag"])


@pytest.mark.parametrize("named", ["*", '"nothing", {etag}'])
def test_if_match_takes_a_list_or_anything(client: FlaskClient, named: str) -> None:
    url = f"/api/images/{upload(client)}"
    headers = {"If-Match": named.replace("{etag}", client.get(url).headers["ETag"])}
    assert client.patch(url, json={"labels": ["x"]}, headers=headers).status_code == 200


def test_a_picture_that_is_as_before_is_not_sent_again(client: FlaskClient) -> None:
    url = f"/api/images/{upload(client)}"
    etag = client.get(url).headers["ETag"]
    same = client.get(url, headers={"If-None-Match": etag})
    assert (same.status_code, same.data, same.headers["ETag"]) == (304, b"", etag)
    client.patch(url, json={"labels": ["x"]})
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 200


def test_earlier_captions_are_kept_newest_first_and_twenty_at_most(client: FlaskClient) -> None:
    image_id = upload(client)
    for number in range(25):
        edit(client, image_id, caption=f"Number {number}.")
    told = earlier(client, image_id)
    assert [entry["caption"] for entry in told] == [f"Number {number}." for number in range(23, 3, -1)]
    assert told[0]["caption_source"] == HUMAN
    assert told[0]["replaced_at"].endswith("Z")


def test_writing_the_same_again_is_no_change(client: FlaskClient) -> None:
    image_id = upload(client)
    first = client.patch(f"/api/images/{image_id}", json={"caption": "A dog.", "labels": ["a"]})
    again = client.patch(f"/api/images/{image_id}", json={"caption": "A dog.", "labels": ["a"]})
    assert again.headers["ETag"] == first.headers["ETag"]
    assert earlier(client, image_id) == []


def test_a_caption_that_is_taken_away_is_among_the_earlier_ones(client: FlaskClient) -> None:
    image_id = upload(client)
    edit(client, image_id, caption="A dog.")
    image = edit(client, image_id, caption=None)
    assert (image["caption"], image["caption_source"], image["caption_status"]) == (None, None, "skipped")
    assert [entry["caption"] for entry in earlier(client, image_id)] == ["A dog."]
    assert page(client, "/api/images", q="dog")["data"] == []


def test_a_machines_caption_gives_way_to_a_persons_and_is_kept(captioning: Flask) -> None:
    client = captioning.test_client()
    image_id = upload(client)
    edit(client, image_id, caption="A dog.")
    (entry,) = earlier(client, image_id)
    assert (entry["caption"], entry["caption_source"]["provider"]) == (SENTENCE, "openai")


def test_no_machine_overwrites_a_person_unless_it_is_said(captioning: Flask, provider: Provider) -> None:
    client = captioning.test_client()
    image_id = upload(client)
    edit(client, image_id, caption="A dog.")
    refused(client.post(f"/api/images/{image_id}/caption"), 409, "conflict")
    with captioning.app_context():
        for which in ("all", "missing", "failed"):
            assert recaption.again(which) == 0
    response = client.post(f"/api/images/{image_id}/caption", json={"overwrite_human": True})
    assert response.status_code == 202
    assert shown(client, image_id)["caption"] == SENTENCE
    assert earlier(client, image_id)[0]["caption_source"] == HUMAN


def test_a_caption_can_be_asked_for_in_other_words(captioning: Flask, provider: Provider) -> None:
    client = captioning.test_client()
    image_id = upload(client, name="rex.jpg")
    edit(client, image_id, labels=["dog", "{original_name}"])
    wish = {"prompt": "Name {labels} in {original_name} as {x}."}
    assert client.post(f"/api/images/{image_id}/caption", json=wish).status_code == 202
    asked = "Name dog, {original_name} in rex.jpg as {x}."
    assert provider.calls[-1].prompt == asked
    assert shown(client, image_id)["caption_source"]["prompt"] == asked


@pytest.mark.parametrize(
    "wish", [{"prompt": ""}, {"prompt": "x" * 4001}, {"overwrite_human": "yes"}, {"x": 1}]
)
def test_a_wish_that_is_out_of_range_is_refused(captioning: Flask, wish: dict[str, Any]) -> None:
    client = captioning.test_client()
    refused(client.post(f"/api/images/{upload(client)}/caption", json=wish), 400, "invalid_parameter")


def test_asking_without_captioner_or_picture_is_refused(client: FlaskClient, captioning: Flask) -> None:
    refused(client.post(f"/api/images/{upload(client)}/caption"), 409, "conflict")
    missing = "/api/images/00000000-0000-7000-8000-000000000000/caption"
    refused(captioning.test_client().post(missing), 404, "image_not_found")


def test_a_comment_can_be_deleted_once(client: FlaskClient) -> None:
    url = f"/api/images/{upload(client)}/comments"
    comment = client.post(url, json={"text": "lovely"}).json["data"]["comment_id"]  # type: ignore[index]
    refused(client.delete(f"/api/images/{upload(client)}/comments/{comment}"), 404, "not_found")
    assert client.delete(f"{url}/{comment}").status_code == 204
    refused(client.delete(f"{url}/{comment}"), 404, "not_found")
    refused(client.delete(f"{url}/nothing"), 404, "not_found")
    missing = "/api/images/00000000-0000-7000-8000-000000000000/comments"
    refused(client.delete(f"{missing}/{comment}"), 404, "image_not_found")


def test_labels_come_with_an_upload(client: FlaskClient) -> None:
    form = [("file", ("a.jpg", jpeg()))]
    response = post_form(client, "/api/images", dict(form), labels="sea, dog,,sea ")
    assert response.status_code == 202
    assert response.json["data"]["labels"] == ["sea", "dog"]  # type: ignore[index]
    refused(post_form(client, "/api/images", dict(form), labels="x" * 65), 400, "invalid_parameter")
