"""Search: every word, the last one as a prefix, over names and captions, newest first, paged."""

import pytest
from flask.testing import FlaskClient

from imgpipe.pictures import search
from tests.api.test_listing import page
from tests.api.test_upload import refused
from tests.captions.provider import Provider
from tests.factories import AppFactory, jpeg, upload
from tests.pictures.test_caption import openai


def names(client: FlaskClient, q: str, **query: str) -> list[str]:
    return [item["original_name"] for item in page(client, q=q, **query)["data"]]


@pytest.fixture
def filled(client: FlaskClient) -> FlaskClient:
    for name in ("a_01.jpg", "Über den Wolken.jpg", "sunset-beach.jpg", "図書館の猫.jpg", "beach party.jpg"):
        upload(client, jpeg(16, 16), name)
    return client


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("beach", ["beach party.jpg", "sunset-beach.jpg"]),
        ("BEACH sun", ["sunset-beach.jpg"]),
        ("beach beach", ["beach party.jpg", "sunset-beach.jpg"]),
        ("bea", ["beach party.jpg", "sunset-beach.jpg"]),
        ("bea sunset", []),
        ("01", ["a_01.jpg"]),
        ("a 01 jpg", ["a_01.jpg"]),
        ("uber", ["Über den Wolken.jpg"]),
        ("ÜBER wol", ["Über den Wolken.jpg"]),
        ("猫", ["図書館の猫.jpg"]),
        ("図書", ["図書館の猫.jpg"]),
        ("nothing", []),
        ("!?", []),
        ('" OR 1', []),
        ("beach* NOT party", []),
        ("'; DROP TABLE images", []),
        ("x" * 200, []),
    ],
)
def test_every_word_must_be_there_and_the_last_one_may_go_on(
    filled: FlaskClient, q: str, found: list[str]
) -> None:
    assert names(filled, q) == found


def test_a_blank_query_finds_everything(filled: FlaskClient) -> None:
    assert len(names(filled, "  ")) == 5


def test_matches_are_paged_by_key(filled: FlaskClient) -> None:
    first = page(filled, q="jpg", limit=2)
    second = page(filled, first["next"])
    third = page(filled, second["next"])
    walked = [item["original_name"] for body in (first, second, third) for item in body["data"]]
    assert walked == names(filled, "jpg")
    assert third["next"] is None
    assert page(filled, second["previous"])["data"] == first["data"]


def test_a_search_can_be_narrowed_to_a_status(filled: FlaskClient) -> None:
    upload(filled, jpeg(900, 900)[:9000], "broken beach.jpg")
    assert names(filled, "beach", status="failed") == ["broken beach.jpg"]


def test_captions_are_searched_too(make_app: AppFactory, provider: Provider) -> None:
    client = make_app(**openai(provider)).test_client()
    upload(client, name="x.jpg")
    assert names(client, "small dog gra") == ["x.jpg"]


def test_a_deleted_picture_is_found_no_more(filled: FlaskClient) -> None:
    image_id = page(filled, q="party")["data"][0]["image_id"]
    filled.delete(f"/api/images/{image_id}")
    assert names(filled, "party") == []


def test_an_endless_query_is_refused(client: FlaskClient) -> None:
    refused(client.get("/api/images", query_string={"q": "x" * 201}), 400, "invalid_parameter")


def test_words_are_split_by_us_so_that_databases_agree() -> None:
    assert search.split("a_01.jpg") == ["a", "01", "jpg"]
    assert search.split("Straße ﬁn É") == ["strasse", "fin", "e"]
    assert search.split("x" * 100) == ["x" * 64]
