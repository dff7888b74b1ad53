"""The same bytes are found by their hash, pictures that look alike by theirs."""

import hashlib
import io
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image, ImageOps

from imgpipe.database.engine import db, writing
from imgpipe.database.models import Image as Row
from imgpipe.imaging.fingerprint import distance as apart
from imgpipe.pictures import alike
from tests.api.test_upload import refused
from tests.factories import jpeg, picture, shown, upload


def scene(seed: int = 1) -> Image.Image:
    """Return a picture with something to see in it."""
    noise = Image.effect_noise((24, 18), 60).convert("RGB") if seed else picture(24, 18)
    return noise.resize((640, 480), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def similar(client: FlaskClient, image_id: str, **query: Any) -> list[dict[str, Any]]:
    response = client.get(f"/api/images/{image_id}/similar", query_string=query)
    assert response.status_code == 200, response.text
    data: list[dict[str, Any]] = response.json["data"]  # type: ignore[index]
    return data


def test_alike_ones_are_listed_nearest_first_without_the_picture_itself(client: FlaskClient) -> None:
    original = scene()
    image_id = upload(client, encoded(original, quality=95))
    same = upload(client, encoded(original, quality=95))
    smaller = upload(client, encoded(original.resize((320, 240)), quality=60))
    upload(client, encoded(scene()))
    upload(client, encoded(ImageOps.mirror(original)))
    found = similar(client, image_id)
    assert [item["image_id"] for item in found] == [same, smaller]
    assert [item["same"] for item in found] == [True, False]
    assert found[0]["distance"] == 0
    assert found[0]["original_name"] == "photo.jpg"
    described = client.get("/api/openapi.json").get_json()["components"]["schemas"]["Alike"]["properties"]
    assert found[0].keys() == described.keys()


def test_a_blank_picture_is_like_its_own_bytes_alone(client: FlaskClient) -> None:
    white = [
        upload(client, encoded(Image.new("RGB", size, "white"))) for size in ((90, 90), (90, 90), (80, 80))
    ]
    assert [item["image_id"] for item in similar(client, white[0])] == [white[1]]
    assert shown(client, white[0])["color"] == "#ffffff"


def test_a_deleted_picture_is_like_nothing(client: FlaskClient, app: Flask) -> None:
    data = encoded(scene())
    kept, gone = upload(client, data), upload(client, data)
    client.delete(f"/api/images/{gone}")
    assert similar(client, kept) == []


@pytest.mark.parametrize("distance", ["-1", "11", "x"])
def test_a_distance_out_of_range_is_refused(client: FlaskClient, distance: str) -> None:
    response = client.get(f"/api/images/{upload(client)}/similar?distance={distance}")
    refused(response, 400, "invalid_parameter")


@pytest.mark.parametrize("distance", range(alike.FARTHEST + 1))
def test_the_index_finds_exactly_what_a_look_at_all_finds(
    client: FlaskClient, app: Flask, distance: int
) -> None:
    image_id = upload(client, encoded(scene()))
    with app.app_context():
        row = db.session.query(Row).one()
        ours = row.perceptual_hash
        assert ours is not None
        hashes = [_signed(ours ^ sum(1 << (bit * 37 + n) % 64 for bit in range(n % 13))) for n in range(200)]
        hashes += [_signed(ours ^ ((1 << n) - 1)) for n in range(14)]
        with writing(durable=False) as session:
            for place, hash in enumerate(hashes):
                alike.change(session, place, None, hash)
        found = sorted(alike.within(ours, distance))
        everything = [(apart(ours, hash), place) for place, hash in enumerate([*hashes])]
        everything.append((0, row.position))
        assert found == sorted(pair for pair in everything if pair[0] <= distance)
    assert image_id


def _signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def test_bytes_are_found_by_their_sha256(client: FlaskClient) -> None:
    data = jpeg()
    oldest = upload(client, data)
    upload(client, data)
    url = f"/api/images/by-sha256/{hashlib.sha256(data).hexdigest()}"
    response = client.get(url)
    assert response.json["data"]["image_id"] == oldest  # type: ignore[index]
    head = client.head(url.rpartition("/")[0] + "/" + hashlib.sha256(data).hexdigest().upper())
    assert (head.status_code, head.headers["Location"]) == (200, f"/api/images/{oldest}")


@pytest.mark.parametrize("hex", ["0" * 64, "x" * 64, "0" * 63, "%00"])
def test_bytes_that_are_not_in_are_not_found(client: FlaskClient, hex: str) -> None:
    refused(client.get(f"/api/images/by-sha256/{hex}"), 404, "image_not_found")
    assert client.head(f"/api/images/by-sha256/{hex}").status_code == 404


def test_a_failed_picture_is_not_found_by_its_bytes(client: FlaskClient) -> None:
    data = jpeg(900, 900)[:9000]
    upload(client, data)
    digest = hashlib.sha256(data).hexdigest()
    refused(client.get(f"/api/images/by-sha256/{digest}"), 404, "image_not_found")
