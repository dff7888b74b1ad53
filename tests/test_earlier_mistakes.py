"""What earlier programs for this very job got wrong, each a test, so that it stays in the past."""

import io
import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image, ImageCms

from imgpipe.captions import Captioner
from tests.factories import (
    AppFactory,
    jpeg,
    jpeg_with_exif,
    picture,
    png,
    post,
    shown,
    stored_files,
    transparent_png,
    upload,
)
from tests.servers import serving


def thumbnail(client: FlaskClient, image: dict[str, Any], name: str) -> Image.Image:
    return Image.open(io.BytesIO(client.get(image["thumbnails"][name]).data))


def cmyk_with_exif() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Camera Works"
    file = io.BytesIO()
    picture(300, 200).convert("CMYK").save(file, "JPEG", exif=exif)
    return file.getvalue()


def test_exif_is_read_before_the_picture_is_converted(client: FlaskClient) -> None:
    image = shown(client, upload(client, cmyk_with_exif()))
    assert image["exif"]["Make"] == "Camera Works"
    assert image["metadata"]["mode"] == "CMYK"


def test_the_format_is_read_before_the_picture_is_converted(client: FlaskClient) -> None:
    assert shown(client, upload(client, cmyk_with_exif()))["metadata"]["format"] == "jpg"
    assert shown(client, upload(client, png(mode="P")))["metadata"]["format"] == "png"


@pytest.mark.parametrize("policy", ["keep", "zip"])
def test_the_original_is_never_overwritten_by_a_copy_of_ours(make_app: AppFactory, policy: str) -> None:
    client = make_app(IMGPIPE_ORIGINALS=policy).test_client()
    data = jpeg_with_exif(orientation=6)
    image = shown(client, upload(client, data))
    assert client.get(image["original_url"]).data == data


def test_size_bytes_is_that_of_the_upload_not_of_a_copy(client: FlaskClient) -> None:
    data = jpeg(quality=100)
    assert shown(client, upload(client, data))["metadata"]["size_bytes"] == len(data)


def test_a_transparent_png_neither_fails_nor_turns_black(client: FlaskClient) -> None:
    image = shown(client, upload(client, transparent_png()))
    assert image["status"] == "success"
    small = thumbnail(client, image, "small").convert("RGBA")
    clear, seen = small.getpixel((5, 40)), small.getpixel((120, 40))
    assert isinstance(clear, tuple)
    assert isinstance(seen, tuple)
    assert (clear[3], seen[3]) == (0, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_followed(client: FlaskClient, orientation: int) -> None:
    image = shown(client, upload(client, jpeg_with_exif(orientation)))
    upright = (400, 200) if orientation < 5 else (200, 400)
    assert (image["metadata"]["width"], image["metadata"]["height"]) == upright
    width, height = thumbnail(client, image, "small").size
    assert (width > height) == (upright[0] > upright[1])


def test_a_wide_profile_is_converted_and_not_just_dropped(client: FlaskClient) -> None:
    file = io.BytesIO()
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    picture(64, 64).save(file, "JPEG", icc_profile=swapped)  # a profile of another mode than the picture
    image = shown(client, upload(client, file.getvalue()))
    assert image["status"] == "success"
    assert "icc_profile" not in thumbnail(client, image, "small").info


def test_what_is_queued_counts_neither_as_failed_nor_as_success(make_app: AppFactory) -> None:
    client = make_app(IMGPIPE_JOBS="threads").test_client()
    client.application.extensions["imgpipe"].jobs.close()
    image = shown(client, upload(client))
    totals = client.get("/api/stats").json["data"]  # type: ignore[index]
    assert (image["status"], image["processed_at"], image["processing_time_ms"]) == ("processing", None, None)
    assert (totals["total"], totals["processing"]) == (1, 1)
    assert (totals["success"], totals["failed"], totals["failure_rate"]) == (0, 0, 0.0)


def test_the_statistics_of_an_empty_database_divide_nothing_by_zero(client: FlaskClient) -> None:
    totals = client.get("/api/stats").json["data"]  # type: ignore[index]
    assert (totals["total"], totals["success_rate"], totals["average_processing_time_seconds"]) == (
        0,
        0.0,
        None,
    )


def test_no_row_stays_in_processing_after_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for _ in range(8):
            server.upload(png(3000, 2000))
        server.kill()
        server.start()
        assert server.await_all_done()["success"] == 8


def test_ids_do_not_come_from_a_small_pool(client: FlaskClient) -> None:
    ids = [UUID(upload(client, png(8, 8))) for _ in range(20)]
    assert {id.version for id in ids} == {7}
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("name", ["../../../evil.jpg", "/etc/passwd", "..\\..\\evil.png", "a/b/c.jpg"])
def test_the_clients_file_name_is_no_part_of_a_path(client: FlaskClient, app: Flask, name: str) -> None:
    image_id = upload(client, name=name)
    assert len(stored_files(app)) == 4
    assert all(image_id in path.name for path in stored_files(app))
    assert not {part for path in stored_files(app) for part in path.parts} & {"evil.jpg", "passwd", "c.jpg"}


def test_the_clients_content_type_is_not_trusted(client: FlaskClient) -> None:
    lie = (io.BytesIO(png()), "photo.jpg", "image/jpeg")
    told = client.post("/api/images", data={"file": lie})
    assert told.json is not None
    assert shown(client, told.json["data"]["image_id"])["metadata"]["format"] == "png"
    text = client.post("/api/images", data={"file": (io.BytesIO(b"<html>"), "a.png", "image/png")})
    assert text.status_code == 400


def test_there_is_one_shape_of_errors(client: FlaskClient) -> None:
    answers = [
        client.get("/nothing"),
        client.get("/api/nothing"),
        client.put("/api/stats"),
        client.post("/api/images"),
        client.get("/api/images/1"),
        client.get("/api/images?limit=0"),
        client.get("/api/images?cursor=x"),
        post(client, b"text"),
    ]
    shapes = {tuple(answer.json) for answer in answers if answer.json is not None}
    assert shapes == {("status", "data", "error", "code", "details", "request_id")}
    assert {answer.mimetype for answer in answers} == {"application/json"}


def test_a_list_is_bounded_whatever_is_asked_for(client: FlaskClient) -> None:
    for _ in range(51):
        upload(client, png(4, 4))
    body = client.get("/api/images").json
    assert body is not None
    assert len(body["data"]) == 50
    assert client.get("/api/images?limit=501").status_code == 400


def test_links_name_no_host_unless_told(client: FlaskClient) -> None:
    image_id = upload(client)
    texts = [client.get(path).text for path in (f"/api/images/{image_id}", "/api/images?limit=1")]
    assert not re.search(r"localhost|127\.0\.0\.1|http:", "".join(texts))


def test_times_end_in_z_alone(client: FlaskClient) -> None:
    image = shown(client, upload(client))
    for name in ("uploaded_at", "processed_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", image[name])


def test_exif_is_an_object_and_not_json_in_a_string(client: FlaskClient) -> None:
    image = shown(client, upload(client, jpeg_with_exif()))
    assert isinstance(image["exif"], dict)
    assert json.loads(json.dumps(image["exif"])) == image["metadata"]["exif"]


def test_no_test_calls_a_paid_api(app: Flask) -> None:
    captioner: Captioner | None = app.extensions["imgpipe"].captioner
    assert captioner is None
