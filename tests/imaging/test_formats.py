"""The table of formats is the one place that knows them."""

import pytest

from imgpipe.errors import UnsupportedType
from imgpipe.imaging.formats import DEFAULT, FORMATS, choice, format_of, mime_types, read_names, suffixes
from tests.factories import AppFactory, jpeg, png, post


@pytest.mark.parametrize("name", FORMATS)
def test_a_record_stands_under_its_name_and_has_a_type_and_an_ending(name: str) -> None:
    format = FORMATS[name]
    assert (format.name, format.mime.partition("/")[0], format.suffixes[0][0]) == (name, "image", ".")


def test_no_two_formats_share_an_ending_or_a_media_type() -> None:
    endings = [suffix for format in FORMATS.values() for suffix in format.suffixes]
    assert len(endings) == len(suffixes())
    assert len(set(mime_types().values())) == len(FORMATS)


def test_a_format_that_is_not_accepted_is_unsupported_and_the_sentence_names_the_others() -> None:
    with pytest.raises(UnsupportedType) as caught:
        format_of(png(), accepted=("jpg",))
    assert caught.value.message == "Unsupported file type. Use JPG."
    assert format_of(png()).name == "png"


@pytest.mark.parametrize(
    ("names", "sentence"), [(("jpg",), "JPG"), (DEFAULT, "JPG or PNG"), (("png", "jpg"), "JPG or PNG")]
)
def test_a_choice_reads_like_a_sentence(names: tuple[str, ...], sentence: str) -> None:
    assert choice(names) == sentence


@pytest.mark.parametrize("raw", ["jpg,png", " png , jpg", "png,jpg,png"])
def test_names_are_read_in_any_order(raw: str) -> None:
    assert read_names(raw) == ("jpg", "png")


@pytest.mark.parametrize("raw", ["", ",", "jpeg", "jpg,,png", "JPG", "jpg;png", "gif"])
def test_a_list_of_other_names_is_refused(raw: str) -> None:
    with pytest.raises(ValueError):
        read_names(raw)


def test_what_is_not_accepted_is_refused_with_the_sentence_that_names_what_is(make_app: AppFactory) -> None:
    client = make_app(IMGPIPE_ACCEPT="png").test_client()
    refused = post(client, jpeg())
    assert (refused.status_code, refused.json["code"]) == (400, "unsupported_type")  # type: ignore[index]
    assert refused.json["error"] == "Unsupported file type. Use PNG."  # type: ignore[index]
    assert post(client, png()).status_code == 202


def test_the_page_lets_people_pick_what_is_accepted(make_app: AppFactory) -> None:
    page = make_app(IMGPIPE_ACCEPT="png").test_client().get("/").text
    assert ('accept="image/png"' in page, "JPG or PNG" in page) == (True, False)


def test_the_page_is_revalidated_by_its_etag(make_app: AppFactory) -> None:
    client = make_app().test_client()
    first = client.get("/")
    assert 'accept="image/jpeg,image/png"' in first.text
    assert client.get("/", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
