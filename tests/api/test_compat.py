"""The calls that clients of older services make, replayed as they were documented."""

import base64
import io
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from tests.api.test_upload import refused
from tests.captions.provider import SENTENCE, Provider
from tests.factories import AppFactory, jpeg, post_form, transparent_png, upload
from tests.pictures.test_caption import openai

ITEM = {"uuid", "img", "desc", "upload_date", "edited_date", "comments_url"}


@pytest.fixture
def app(make_app: AppFactory, provider: Provider) -> Flask:
    return make_app(**openai(provider))


def got(client: FlaskClient, url: str) -> Any:
    response = client.get(url)
    assert response.status_code == 200, response.text
    return response.json


def test_analyze_image_waits_and_gives_the_providers_own_answer(client: FlaskClient) -> None:
    response = post_form(client, "/api/images/analyze-image", {"uploaded_file": ("cat.jpg", jpeg())})
    assert response.status_code == 200
    body = response.json
    assert body is not None
    assert set(body) == {"message", "thumbnail", "openai_response"}
    assert body["message"] == "Image uploaded successfully"
    assert body["openai_response"]["choices"][0]["message"]["content"] == SENTENCE
    thumbnail = client.get(body["thumbnail"])
    assert thumbnail.headers["Content-Disposition"].startswith("attachment; filename=thumbnail_")
    assert max(Image.open(io.BytesIO(thumbnail.data)).size) == 128


def test_analyze_image_gives_the_providers_error(client: FlaskClient, provider: Provider) -> None:
    provider.fault = "insufficient_quota"
    response = post_form(client, "/api/images/analyze-image", {"uploaded_file": ("cat.jpg", jpeg())})
    assert response.status_code == 200
    assert response.json is not None
    assert response.json["openai_response"] == {
        "error": {
            "message": "No money left",
            "type": "insufficient_quota",
            "param": None,
            "code": "insufficient_quota",
        }
    }


def test_analyze_image_without_a_captioner_says_so(make_app: AppFactory) -> None:
    client = make_app().test_client()
    response = post_form(client, "/api/images/analyze-image", {"uploaded_file": ("cat.jpg", jpeg())})
    assert response.json is not None
    assert response.json["openai_response"]["error"]["message"] == "No captioner is configured."


@pytest.mark.parametrize("data", [b"text", b"", jpeg(900, 900)[:9000]])
def test_analyze_image_refuses_with_error_and_message(client: FlaskClient, data: bytes) -> None:
    response = post_form(client, "/api/images/analyze-image", {"uploaded_file": ("cat.jpg", data)})
    assert response.status_code == 400
    assert response.json is not None
    assert response.json["message"] == response.json["error"]
    assert response.json["code"]


def test_analyze_image_needs_the_key_where_there_is_one(make_app: AppFactory) -> None:
    client = make_app(IMGPIPE_API_KEYS="k").test_client()
    response = post_form(client, "/api/images/analyze-image", {"uploaded_file": ("cat.jpg", jpeg())})
    assert refused(response, 401, "unauthorized")["message"]


def test_analyze_image_hands_over_to_polling_what_takes_too_long(
    client: FlaskClient, provider: Provider, app: Flask
) -> None:
    provider.fault = "status_500"
    app.extensions["imgpipe"].jobs.stopping = True  # ends the wait as a stop does
    response = post_form(client, "/api/images/analyze-image", {"uploaded_file": ("cat.jpg", jpeg())})
    assert response.status_code == 202
    assert response.json is not None
    assert response.json["status"] == "processing"


def test_a_thumbnail_has_the_ending_that_it_is(client: FlaskClient) -> None:
    image_id = upload(client, transparent_png())
    assert client.get(f"/api/thumbnails/thumbnail_{image_id}.png").mimetype == "image/png"
    refused(client.get(f"/api/thumbnails/thumbnail_{image_id}.jpg"), 404, "not_found")


@pytest.mark.parametrize("name", ["x.jpg", "thumbnail_1.jpg", "thumbnail_../../x.jpg"])
def test_other_thumbnail_names_do_not_exist(client: FlaskClient, name: str) -> None:
    assert client.get(f"/api/thumbnails/{name}").status_code == 404


@pytest.mark.parametrize("as_file", [True, False])
def test_analyze_takes_img_as_file_or_base64(client: FlaskClient, as_file: bool) -> None:
    text = base64.b64encode(jpeg()).decode()
    part: tuple[str | None, bytes | str] = ("cat.jpg", jpeg()) if as_file else (None, text)
    response = post_form(client, "/analyze-image", {"img": part})
    assert response.status_code == 202
    assert response.json is not None
    assert set(response.json) == ITEM
    assert got(client, f"/image/{response.json['uuid']}")["desc"] == SENTENCE


def test_images_are_listed_ten_a_page(client: FlaskClient) -> None:
    for _ in range(12):
        upload(client, jpeg(16, 16))
    first = got(client, "/images")
    assert set(first) == {"results", "next", "previous"}
    assert len(first["results"]) == 10
    assert set(first["results"][0]) == ITEM
    second = got(client, first["next"])
    assert (len(second["results"]), second["next"]) == (2, None)
    assert got(client, second["previous"])["results"] == first["results"]


def test_img_is_the_original_or_the_medium_when_that_is_discarded(
    make_app: AppFactory, client: FlaskClient
) -> None:
    upload(client)
    assert got(client, "/images")["results"][0]["img"].endswith("/original")
    discarding = make_app(IMGPIPE_ORIGINALS="discard").test_client()
    upload(discarding)
    img = got(discarding, "/images")["results"][0]["img"]
    assert img.endswith("/thumbnails/medium")
    assert discarding.get(img).status_code == 200


def test_desc_is_empty_without_a_caption(client: FlaskClient, provider: Provider) -> None:
    provider.fault = "empty"
    upload(client)
    assert got(client, "/images")["results"][0]["desc"] == ""


def test_an_image_comes_with_the_first_page_of_its_comments(client: FlaskClient) -> None:
    image_id = upload(client)
    for number in range(25):
        response = client.post(f"/image/{image_id}/comment", json={"text": str(number)})
        assert response.status_code == 201
        assert response.json is not None
        assert set(response.json) == {"uuid", "image", "text", "upload_date", "edited_date"}
        assert response.json["image"] == image_id
    image = got(client, f"/image/{image_id}")
    assert set(image) == ITEM | {"comments"}
    assert [item["text"] for item in image["comments"]["results"]][:2] == ["24", "23"]
    assert len(image["comments"]["results"]) == 20
    rest = got(client, image["comments"]["next"])
    assert [item["text"] for item in rest["results"]] == ["4", "3", "2", "1", "0"]
    assert got(client, image["comments_url"])["results"] == image["comments"]["results"]


def test_a_comment_may_come_by_a_form_and_not_be_blank(client: FlaskClient) -> None:
    image_id = upload(client)
    assert client.post(f"/image/{image_id}/comment", data={"text": "by form"}).status_code == 201
    refused(client.post(f"/image/{image_id}/comment", json={"text": " "}), 400, "invalid_parameter")


def test_unknown_images_are_not_found_in_the_one_shape(client: FlaskClient) -> None:
    for path in ("/image/1", "/image/00000000-0000-7000-8000-000000000000", "/image/x/pag-comments"):
        refused(client.get(path), 404, "image_not_found")
