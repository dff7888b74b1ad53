"""Data sets by HTTP: what the command writes, streamed; chosen, split, cut, and never too many at once."""

import hashlib
import io
import json
import tarfile
import zipfile
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from imgpipe.database.engine import db
from imgpipe.datasets import streams
from imgpipe.datasets.samples import Recipe
from tests.api.test_similar import encoded, scene
from tests.api.test_upload import refused
from tests.factories import AppFactory, jpeg, jpeg_with_exif, png, transparent_png, upload

URL = "/api/exports"


def fetch(client: FlaskClient, form: str, **query: Any) -> bytes:
    response = client.get(URL, query_string={"format": form, **query})
    assert response.status_code == 200, response.text
    data: bytes = response.data
    return data


def unzip(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def ids(client: FlaskClient, **query: Any) -> list[str]:
    return [line["image_id"] for line in lines(fetch(client, "jsonl", **query))]


def caption(client: FlaskClient, image_id: str, text: str, *labels: str) -> str:
    edit = {"caption": text, "labels": labels}
    assert client.patch(f"/api/images/{image_id}", json=edit).status_code == 200
    return image_id


@pytest.fixture
def three(client: FlaskClient) -> list[str]:
    """Return three pictures: a JPEG and a PNG with captions, a JPEG without."""
    return [
        caption(client, upload(client, jpeg(640, 480), "a.jpg"), "A dog.", "dog", "sea"),
        caption(client, upload(client, png(60, 90), "b.png"), "A cat.", "cat", "sea"),
        upload(client, jpeg(90, 60), "c.jpg"),
    ]


def test_an_image_folder_has_pictures_and_a_line_for_each(client: FlaskClient, three: list[str]) -> None:
    files = unzip(fetch(client, "imagefolder"))
    told = lines(files["metadata.jsonl"])
    assert [line["file_name"] for line in told] == [f"images/{id}.jpg" for id in three]
    assert [line["text"] for line in told] == ["A dog.", "A cat.", ""]
    assert told[0]["labels"] == ["dog", "sea"]
    assert told[0]["caption_source"] == {"provider": "human", "model": None}
    assert set(files) == {"metadata.jsonl", *(line["file_name"] for line in told)}


def test_a_sidecar_is_a_text_of_the_same_name(client: FlaskClient, three: list[str]) -> None:
    files = unzip(fetch(client, "sidecar", prefix="a photo of sks, "))
    assert files[f"{three[1]}.txt"] == b"a photo of sks, A cat."
    assert set(files) == {f"{id}.jpg" for id in three} | {f"{id}.txt" for id in three[:2]}


def test_a_web_dataset_is_one_tar(client: FlaskClient, three: list[str]) -> None:
    with tarfile.open(fileobj=io.BytesIO(fetch(client, "webdataset", captioned="true"))) as archive:
        assert archive.getnames() == [f"{id}.{kind}" for id in three[:2] for kind in ("jpg", "json", "txt")]


def test_the_headers_say_what_it_is(client: FlaskClient, three: list[str]) -> None:
    told = {}
    for form in ("imagefolder", "sidecar", "webdataset", "jsonl"):
        headers = client.get(f"{URL}?format={form}").headers
        told[headers["Content-Disposition"].partition("filename=")[2]] = headers["Content-Type"]
    assert told == {
        "imgpipe-imagefolder.zip": "application/zip",
        "imgpipe-sidecar.zip": "application/zip",
        "imgpipe-webdataset.tar": "application/x-tar",
        "imgpipe-jsonl.jsonl": "application/x-ndjson",
    }


@pytest.mark.parametrize("form", ["imagefolder", "sidecar", "webdataset", "jsonl"])
def test_the_same_set_is_the_same_bytes(client: FlaskClient, three: list[str], form: str) -> None:
    first, again = fetch(client, form), fetch(client, form)
    assert first == again
    assert fetch(client, form, label="nothing") != first


def test_pictures_are_chosen_by_label_words_caption_and_id(client: FlaskClient, three: list[str]) -> None:
    assert ids(client) == three
    assert ids(client, label="sea") == three[:2]
    assert ids(client, label=["sea", "cat"]) == three[1:2]
    assert ids(client, q="dog") == three[:1]
    assert ids(client, q="jpg", label="sea") == three[:1]
    assert ids(client, captioned="1") == three[:2]
    assert ids(client, id=[three[2], three[0]]) == [three[0], three[2]]


def test_an_export_goes_on_where_another_ended(client: FlaskClient, three: list[str]) -> None:
    assert ids(client, limit=2) == three[:2]
    for query in ({}, {"q": "jpg"}, {"label": "sea"}):
        everything = ids(client, **query)
        assert ids(client, after=everything[0], **query) == everything[1:]
    assert ids(client, after=three[2]) == []


def test_failed_pictures_are_left_out(client: FlaskClient) -> None:
    upload(client, jpeg(900, 900)[:9000])
    assert ids(client) == []
    assert unzip(fetch(client, "imagefolder")) == {"metadata.jsonl": b""}


@pytest.mark.parametrize(
    "data",
    [jpeg(640, 480), jpeg(480, 640), jpeg(33, 20), jpeg(1000, 3), transparent_png(), jpeg_with_exif(6)],
)
def test_the_box_cuts_exactly_the_picture_out_of_its_square(client: FlaskClient, data: bytes) -> None:
    image_id = upload(client, data)
    (line,) = lines(fetch(client, "jsonl"))
    shown = client.get(f"/api/images/{image_id}/thumbnails/medium").data
    square = Image.open(io.BytesIO(client.get(f"/api/images/{image_id}/thumbnails/square").data))
    left, top, right, bottom = line["box"]
    with Image.open(io.BytesIO(shown)) as medium:
        assert (right - left, bottom - top) == medium.size
        assert min(left, top) == 0 or max(medium.size) < 512
    outside = square.copy()
    outside.paste((0, 0, 0), (left, top, right, bottom))
    # JPEG's blocks of 8 px (16 in colour) blur the edge; a block beyond it everything is black.
    outside.paste((0, 0, 0), (left - 16, top - 16, right + 16, bottom + 16))
    assert outside.getextrema() == ((0, 0),) * 3


def test_originals_are_exported_byte_for_byte_with_their_own_endings(
    client: FlaskClient, three: list[str]
) -> None:
    files = unzip(fetch(client, "imagefolder", size="original"))
    told = lines(files.pop("metadata.jsonl"))
    assert [line["file_name"].rpartition(".")[2] for line in told] == ["jpg", "png", "jpg"]
    assert [line["box"] for line in told] == [None] * 3
    for line in told:
        assert hashlib.sha256(files[line["file_name"]]).hexdigest() == line["sha256"]


def test_originals_come_out_of_their_zips_and_discarded_ones_are_left_out(make_app: AppFactory) -> None:
    zipping = make_app(IMGPIPE_ORIGINALS="zip").test_client()
    image_id = upload(zipping, jpeg())
    upload(make_app(IMGPIPE_ORIGINALS="discard").test_client(), png())
    assert unzip(fetch(zipping, "sidecar", size="original")) == {f"{image_id}.jpg": jpeg()}


def test_a_medium_keeps_its_transparency_and_its_ending(client: FlaskClient) -> None:
    image_id = upload(client, transparent_png(), "a.jpg")
    assert list(unzip(fetch(client, "sidecar", size="medium"))) == [f"{image_id}.png"]


def test_a_split_goes_by_content_and_is_the_same_for_ever(client: FlaskClient) -> None:
    made = [upload(client, jpeg(40 + number, 30)) for number in range(24)]
    split = "train=0.75,val=0.25"
    files = unzip(fetch(client, "imagefolder", split=split))
    sides = {part: lines(files[f"{part}/metadata.jsonl"]) for part in ("train", "val")}
    parted = {line["image_id"]: part for part, told in sides.items() for line in told}
    assert sorted(parted) == made
    assert all(f"{part}/{line['file_name']}" in files for part, told in sides.items() for line in told)
    assert 12 <= len(sides["train"]) <= 23
    again = upload(client, jpeg(40, 30))
    told = {line["image_id"]: line["split"] for line in lines(fetch(client, "jsonl", split=split))}
    assert told == {**parted, again: parted[made[0]]}


def test_what_looks_alike_is_exported_once_the_oldest(client: FlaskClient) -> None:
    one, other = scene(), scene()
    oldest = upload(client, encoded(one))
    upload(client, encoded(one.resize((300, 225)), quality=70))
    stranger = upload(client, encoded(other))
    same = upload(client, encoded(other))
    assert ids(client, exclude_near_duplicates="true") == [oldest, stranger]
    assert ids(client, exclude_near_duplicates="true", after=oldest) == [stranger]
    assert ids(client, exclude_near_duplicates="true", id=same) == [same]
    white = [upload(client, encoded(Image.new("RGB", (64, 64), "white"))) for _ in range(2)]
    assert ids(client, exclude_near_duplicates="true", after=same) == white[:1]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"format": "zip"},
        {"format": "jsonl", "size": "small"},
        {"format": "jsonl", "split": "train=0.9"},
        {"format": "jsonl", "split": "a/b=1"},
        {"format": "jsonl", "split": "a=0.5,a=0.5"},
        {"format": "jsonl", "split": "a=1/0"},
        {"format": "jsonl", "split": ","},
        {"format": "jsonl", "after": "1"},
        {"format": "jsonl", "id": "x"},
        {"format": "jsonl", "limit": "0"},
        {"format": "jsonl", "captioned": "maybe"},
    ],
)
def test_what_makes_no_sense_is_refused(client: FlaskClient, query: dict[str, str]) -> None:
    refused(client.get(URL, query_string=query), 400, "invalid_parameter")


def test_a_quarter_of_the_threads_export_and_no_more(make_app: AppFactory) -> None:
    client = make_app(IMGPIPE_WEB_THREADS="8").test_client()
    upload(client)
    held = [client.get(f"{URL}?format=sidecar", buffered=False) for _ in range(2)]
    response = client.get(f"{URL}?format=sidecar")
    refused(response, 503, "busy")
    assert int(response.headers["Retry-After"]) > 0
    for each in held:
        each.close()
    assert unzip(fetch(client, "sidecar"))


def test_what_is_sent_is_no_crumbs_and_goes_on_piece_by_piece(app: Flask, client: FlaskClient) -> None:
    for number in range(6):
        upload(client, encoded(Image.effect_noise((500, 500 + number), 90)))
    with app.app_context():
        pieces = list(streams.stream("webdataset", Recipe()))
    assert len(pieces) > 2
    assert min(map(len, pieces[:-1])) >= streams.PIECE_BYTES
    assert max(map(len, pieces)) < 4 * streams.PIECE_BYTES


def test_nothing_of_the_database_is_held_while_a_client_reads(app: Flask, client: FlaskClient) -> None:
    made = [upload(client, jpeg(40, 30)) for _ in range(20)]
    with app.app_context():
        pieces = streams.stream("sidecar", Recipe())
        first = next(pieces)
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        client.delete(f"/api/images/{made[-1]}")
        names = list(unzip(first + b"".join(pieces)))
    assert names[:19] == [f"{id}.jpg" for id in made[:19]]
