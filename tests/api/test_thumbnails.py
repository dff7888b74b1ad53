"""Thumbnails: exact sizes, upright, clean, and served as a browser cache likes it."""

import io

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from tests.api.test_upload import refused
from tests.factories import jpeg, jpeg_with_exif, transparent_png, upload


def fetched(client: FlaskClient, image_id: str, name: str, **headers: str) -> TestResponse:
    return client.get(f"/api/images/{image_id}/thumbnails/{name}", headers=headers)


def opened(response: TestResponse) -> Image.Image:
    assert response.status_code == 200
    return Image.open(io.BytesIO(response.data))


def test_the_three_have_the_promised_sizes(client: FlaskClient) -> None:
    image_id = upload(client, jpeg(1600, 900))
    sizes = {name: opened(fetched(client, image_id, name)).size for name in ("small", "medium", "square")}
    assert sizes == {"small": (128, 72), "medium": (512, 288), "square": (512, 512)}


def test_the_square_is_padded_with_black(client: FlaskClient) -> None:
    square = opened(fetched(client, upload(client, jpeg(1600, 900)), "square")).convert("L")
    assert max(square.crop((0, 0, 512, 100)).tobytes()) <= 2  # JPEG rounds a little
    assert max(square.crop((0, 120, 512, 390)).tobytes()) > 100


def test_a_transparent_png_stays_transparent_but_for_the_square(client: FlaskClient) -> None:
    image_id = upload(client, transparent_png())
    small = fetched(client, image_id, "small")
    assert small.mimetype == "image/png"
    assert opened(small).convert("RGBA").getpixel((5, 5)) == (0, 0, 0, 0)
    assert fetched(client, image_id, "square").mimetype == "image/jpeg"


def test_derivatives_carry_neither_exif_nor_gps(client: FlaskClient) -> None:
    image_id = upload(client, jpeg_with_exif(orientation=6))
    for name in ("small", "medium", "square"):
        image = opened(fetched(client, image_id, name))
        assert dict(image.getexif()) == {}
        assert not {"icc_profile", "comment", "exif"} & image.info.keys()


def test_they_may_be_cached_for_ever_and_asked_for_conditionally(client: FlaskClient) -> None:
    image_id = upload(client)
    first = fetched(client, image_id, "small")
    etag = first.headers["ETag"]
    assert not etag.startswith("W/")
    assert first.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    again = client.get(f"/api/images/{image_id}/thumbnails/small", headers={"If-None-Match": etag})
    assert (again.status_code, again.data) == (304, b"")


def test_what_the_client_has_is_judged_by_the_row_without_the_file(app: Flask, client: FlaskClient) -> None:
    image_id = upload(client)
    etag = fetched(client, image_id, "small").headers["ETag"]
    media = app.extensions["imgpipe"].settings.data_dir / "media"
    media.rename(media.with_name("elsewhere"))
    for known in (etag, f'W/{etag}, "another"', "*"):
        answer = fetched(client, image_id, "small", **{"If-None-Match": known})
        assert (answer.status_code, answer.headers["ETag"]) == (304, etag)
    refused(fetched(client, image_id, "small", **{"If-Match": '"another"'}), 412, "precondition_failed")
    refused(fetched(client, image_id, "small", **{"If-None-Match": '"another"'}), 503, "unavailable")


def test_a_deleted_picture_is_no_longer_what_the_client_has(client: FlaskClient) -> None:
    image_id = upload(client)
    etag = fetched(client, image_id, "small").headers["ETag"]
    client.delete(f"/api/images/{image_id}")
    refused(fetched(client, image_id, "small", **{"If-None-Match": etag}), 404, "image_not_found")


def test_a_range_of_another_state_is_the_whole_and_of_what_the_client_has_nothing(
    client: FlaskClient,
) -> None:
    image_id = upload(client)
    whole = fetched(client, image_id, "medium")
    asked = {"Range": "bytes=10-19"}
    other = fetched(client, image_id, "medium", **asked, **{"If-Range": '"another"'})
    assert (other.status_code, other.data) == (200, whole.data)
    same = fetched(client, image_id, "medium", **asked, **{"If-Range": whole.headers["ETag"]})
    assert (same.status_code, same.data) == (206, whole.data[10:20])
    held = fetched(client, image_id, "medium", **asked, **{"If-None-Match": whole.headers["ETag"]})
    assert held.status_code == 304


def test_a_range_can_be_asked_for(client: FlaskClient) -> None:
    image_id = upload(client)
    whole = fetched(client, image_id, "medium").data
    part = fetched(client, image_id, "medium", Range="bytes=10-19")
    assert (part.status_code, part.data) == (206, whole[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(whole)}"


def test_a_range_outside_the_file_is_refused_in_the_one_shape(client: FlaskClient) -> None:
    response = fetched(client, upload(client), "medium", Range="bytes=99999999-")
    refused(response, 416, "range_not_satisfiable")
    assert response.headers["Content-Range"].startswith("bytes */")


def test_head_tells_the_length(client: FlaskClient) -> None:
    image_id = upload(client)
    response = client.head(f"/api/images/{image_id}/thumbnails/small")
    assert response.headers["Content-Length"] == str(len(fetched(client, image_id, "small").data))


def test_a_failed_picture_has_no_thumbnail_and_no_hope_of_one(client: FlaskClient) -> None:
    response = fetched(client, upload(client, jpeg(900, 900)[:9000]), "small")
    body = refused(response, 404, "thumbnail_not_ready")
    assert body["error"] == "Thumbnail not ready or missing"
    assert "Retry-After" not in response.headers


@pytest.mark.parametrize("name", ["large", "SMALL", "..", "small.jpg"])
def test_other_sizes_are_missing_for_good(client: FlaskClient, name: str) -> None:
    response = fetched(client, upload(client), name)
    assert refused(response, 404, "thumbnail_not_ready")["error"] == "Thumbnail not ready or missing"
    assert "Retry-After" not in response.headers
