"""One picture: shown, waited for, deleted, retried, downloaded."""

import json
import re
import zipfile
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from imgpipe.database.engine import db
from imgpipe.database.models import Image
from tests.api.test_upload import refused
from tests.factories import AppFactory, jpeg, jpeg_with_exif, png, shown, stored_files, upload

BROKEN = jpeg(900, 900)[:9000]


def test_a_processed_picture_says_what_the_contract_promises(client: FlaskClient) -> None:
    data = jpeg_with_exif(orientation=6)
    image = shown(client, upload(client, data, "holiday.jpg"))
    base = f"/api/images/{image['image_id']}"
    assert image["status"] == "success"
    assert image["original_name"] == "holiday.jpg"
    assert image["processed_at"] >= image["uploaded_at"]
    assert image["processing_time_ms"] >= 0
    assert (image["error"], image["error_code"]) == (None, None)
    metadata = image["metadata"]
    assert metadata["exif"] == image["exif"]
    assert image["exif"]["Make"] == "Camera Works"
    assert {name: metadata[name] for name in metadata if name != "exif"} == {
        "width": 200,
        "height": 400,
        "format": "jpg",
        "size_bytes": len(data),
        "mode": "RGB",
        "orientation": 6,
        "datetime": "2004-07-13T21:23:44",
    }
    assert image["thumbnails"]["square"] == f"{base}/thumbnails/square"
    assert image["original_url"] == f"{base}/original"


def test_gps_is_shown_only_where_the_operator_says_so(make_app: AppFactory) -> None:
    closed = make_app().test_client()
    image_id = upload(closed, jpeg_with_exif())
    assert not [name for name in shown(closed, image_id)["exif"] if name.startswith("GPS")]
    opened = make_app(IMGPIPE_EXPOSE_GPS="true").test_client()
    assert shown(opened, image_id)["exif"]["GPSLatitude"] == [47.0, 22.0, 30.0]


def test_base_url_makes_links_absolute(make_app: AppFactory) -> None:
    client = make_app(BASE_URL="https://pictures.example/base/").test_client()
    image = shown(client, upload(client))
    assert image["original_url"].startswith("https://pictures.example/base/api/images/")
    upload(client)
    body = client.get("/api/images?limit=1").json
    assert body is not None
    assert body["next"].startswith("https://pictures.example/base/api/images?")


@pytest.mark.parametrize("image_id", ["1", "1" * 20, "00000000-0000-7000-8000-000000000000", "x" * 36, "%00"])
def test_an_unknown_or_malformed_id_is_not_found(client: FlaskClient, image_id: str) -> None:
    for path in ("", "/original", "/thumbnails/small"):
        body = refused(client.get(f"/api/images/{image_id}{path}"), 404, "image_not_found")
        assert body["error"] == "Image not found"
    refused(client.delete(f"/api/images/{image_id}"), 404, "image_not_found")
    refused(client.post(f"/api/images/{image_id}/retry"), 404, "image_not_found")


def test_delete_leaves_nothing_behind(client: FlaskClient, app: Flask) -> None:
    image_id = upload(client)
    assert len(stored_files(app)) == 4
    response = client.delete(f"/api/images/{image_id}")
    assert (response.status_code, response.data) == (204, b"")
    assert stored_files(app) == []
    refused(client.get(f"/api/images/{image_id}"), 404, "image_not_found")
    refused(client.delete(f"/api/images/{image_id}"), 404, "image_not_found")


def test_wait_answers_at_once_when_nothing_is_processing(client: FlaskClient) -> None:
    assert shown(client, upload(client), wait=30)["status"] == "success"


@pytest.mark.parametrize("wait", ["31", "-1", "x", "1.5"])
def test_a_wait_out_of_range_is_refused(client: FlaskClient, wait: str) -> None:
    image_id = upload(client)
    refused(client.get(f"/api/images/{image_id}?wait={wait}"), 400, "invalid_parameter")


def test_retry_runs_a_failed_picture_again(client: FlaskClient, app: Flask) -> None:
    image_id = upload(client, BROKEN)
    assert shown(client, image_id)["status"] == "failed"
    key = next(path for path in stored_files(app))
    (Path(app.extensions["imgpipe"].settings.storage) / key).write_bytes(jpeg())
    response = client.post(f"/api/images/{image_id}/retry")
    assert response.status_code == 202
    image = shown(client, image_id)
    assert (image["status"], image["error"], image["error_code"]) == ("success", None, None)


def test_a_retry_is_one_line_with_the_picture_the_stage_and_its_time(client: FlaskClient, app: Flask) -> None:
    image_id = upload(client, jpeg(900, 900)[:9000])
    client.post(f"/api/images/{image_id}/retry", headers={"X-Request-ID": "again-1"})
    told = (app.extensions["imgpipe"].settings.data_dir / "logs/app.log").read_text()
    assert re.search(rf"\[again-1\] \S+: retried {image_id}: render, \d+ ms$", told, re.MULTILINE)


def test_retry_of_what_did_not_fail_is_a_conflict(client: FlaskClient) -> None:
    refused(client.post(f"/api/images/{upload(client)}/retry"), 409, "conflict")


def test_a_lost_original_fails_the_picture_with_its_reason(client: FlaskClient, app: Flask) -> None:
    image_id = upload(client, BROKEN)
    root = Path(app.extensions["imgpipe"].settings.storage)
    (root / stored_files(app)[0]).unlink()
    client.post(f"/api/images/{image_id}/retry")
    assert shown(client, image_id)["error_code"] == "original_missing"


def test_the_original_comes_back_byte_for_byte_as_a_download(client: FlaskClient) -> None:
    data = jpeg_with_exif()
    response = client.get(f"/api/images/{upload(client, data, 'über den wolken.jpg')}/original")
    assert response.data == data
    assert response.mimetype == "image/jpeg"
    assert response.headers["Content-Disposition"].startswith("attachment;")
    assert "%C3%BCber" in response.headers["Content-Disposition"]


def test_a_download_never_carries_an_ending_that_is_not_a_pictures(client: FlaskClient) -> None:
    response = client.get(f"/api/images/{upload(client, png(), 'page.html')}/original")
    assert "filename=page.html.png" in response.headers["Content-Disposition"]


def test_zip_moves_the_original_into_an_archive_and_serves_it_byte_for_byte(make_app: AppFactory) -> None:
    app = make_app(IMGPIPE_ORIGINALS="zip")
    client = app.test_client()
    data = jpeg_with_exif()
    image_id = upload(client, data)
    originals = [path for path in stored_files(app) if path.parts[0] == "originals"]
    assert [path.name for path in originals] == [f"{image_id}.zip"]
    root = Path(app.extensions["imgpipe"].settings.storage)
    assert zipfile.ZipFile(root / originals[0]).namelist() == ["photo.jpg"]
    assert client.get(f"/api/images/{image_id}/original").data == data
    ranged = client.get(f"/api/images/{image_id}/original", headers={"Range": "bytes=5-9"})
    assert (ranged.status_code, ranged.data) == (206, data[5:10])


def test_discard_keeps_no_original_but_the_thumbnails(make_app: AppFactory) -> None:
    app = make_app(IMGPIPE_ORIGINALS="discard")
    client = app.test_client()
    image_id = upload(client)
    assert {path.parts[0] for path in stored_files(app)} == {"derivatives"}
    for held in ({}, {"If-None-Match": "*"}):
        refused(client.get(f"/api/images/{image_id}/original", headers=held), 404, "original_discarded")
    assert client.get(f"/api/images/{image_id}/thumbnails/small").status_code == 200


@pytest.mark.parametrize("policy", ["zip", "discard"])
def test_a_failed_picture_keeps_its_original_for_a_retry(make_app: AppFactory, policy: str) -> None:
    client = make_app(IMGPIPE_ORIGINALS=policy).test_client()
    assert client.get(f"/api/images/{upload(client, BROKEN)}/original").data == BROKEN


def test_a_picture_without_exif_has_an_empty_one(client: FlaskClient) -> None:
    assert shown(client, upload(client))["exif"] == {}


def test_times_are_utc_with_z_and_exif_is_an_object(client: FlaskClient) -> None:
    response = client.get(f"/api/images/{upload(client, jpeg_with_exif())}")
    data = json.loads(response.text)["data"]
    assert data["uploaded_at"].endswith("Z")
    assert "+00:00" not in response.text
    assert isinstance(data["exif"], dict)


def test_what_lies_in_the_database_is_fit_for_postgresql(client: FlaskClient, app: Flask) -> None:
    image_id = upload(client, jpeg_with_exif(make="Cam\0era\0\0"))
    with app.app_context():
        exif = db.session.scalars(select(Image.exif)).one()
        assert r"\u0000" not in json.dumps(exif)
    assert shown(client, image_id)["exif"]["Make"] == "Cam era"


def test_a_file_that_is_no_longer_as_supposed_is_refused_in_the_one_shape(client: FlaskClient) -> None:
    for path in (
        f"/api/images/{(image_id := upload(client))}/original",
        f"/api/images/{image_id}/thumbnails/small",
    ):
        etag = client.get(path).headers["ETag"]
        assert client.get(path, headers={"If-Match": f'"x", {etag}'}).status_code == 200
        assert client.get(path, headers={"If-Match": "*"}).status_code == 200
        refused(client.get(path, headers={"If-Match": '"x"'}), 412, "precondition_failed")
        refused(client.get(path, headers={"If-Match": f"W/{etag}"}), 412, "precondition_failed")
