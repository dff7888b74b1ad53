"""Pictures come in by form file and by base64; what is no picture is refused and leaves nothing."""

import base64
import io
import json
import struct
import zlib
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.factories import AppFactory, jpeg, picture, png, post, post_form, shown, stored_files, upload


def refused(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    body: dict[str, Any] = json.loads(response.text, parse_constant=pytest.fail)
    assert body["status"] == "error"
    assert body["code"] == code
    assert body["data"] is None
    assert body["request_id"]
    return body


def test_a_form_file_is_accepted_with_its_address(client: FlaskClient) -> None:
    response = post(client, jpeg())
    assert response.status_code == 202
    assert response.json is not None
    data = response.json["data"]
    assert data["message"] == "Image uploaded successfully and processing started"
    assert data["status"] == "processing"
    assert response.headers["Location"] == f"/api/images/{data['image_id']}"
    assert client.get(response.headers["Location"]).status_code == 200


@pytest.mark.parametrize("field", ["file", "uploaded_file", "img"])
def test_a_file_may_come_in_any_of_the_fields_in_use(client: FlaskClient, field: str) -> None:
    assert post(client, jpeg(), field=field).status_code == 202


@pytest.mark.parametrize("field", ["img", "image"])
@pytest.mark.parametrize("prefix", ["", "data:image/jpeg;base64,"])
@pytest.mark.parametrize("kind", ["json", "data"])
def test_base64_may_be_bare_or_a_data_uri_in_json_or_a_form(
    client: FlaskClient, field: str, prefix: str, kind: str
) -> None:
    text = prefix + base64.b64encode(jpeg()).decode()
    response = client.post("/api/images", **{kind: {field: text}})
    assert response.status_code == 202
    assert response.json is not None
    assert shown(client, response.json["data"]["image_id"])["original_name"] == "image.jpg"


def test_base64_may_be_broken_into_lines(client: FlaskClient) -> None:
    text = base64.encodebytes(jpeg()).decode().replace("\n", "\r\n ")
    assert client.post("/api/images", json={"img": text}).status_code == 202


def test_base64_in_a_multipart_text_field_may_be_larger_than_flasks_default(client: FlaskClient) -> None:
    noise = io.BytesIO()
    picture(900, 900).effect_spread(300).save(noise, "PNG")
    text = base64.b64encode(noise.getvalue()).decode()
    assert len(text) > 500_000
    assert post_form(client, "/api/images", {"img": (None, text)}).status_code == 202


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "no_file"),
        (b"hello", "unsupported_type"),
        (b"<html></html>", "unsupported_type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_type"),
        (b"GIF89a\1\0\1\0\0\0\0;", "unsupported_type"),
        (jpeg()[:20], "corrupt_image"),
        (b"\x89PNG\r\n\x1a\n", "corrupt_image"),
    ],
)
def test_what_is_no_picture_is_refused_whatever_its_name(
    client: FlaskClient, app: Flask, data: bytes, code: str
) -> None:
    refused(post(client, data, "photo.jpg"), 400, code)
    assert stored_files(app) == []


def test_the_type_is_decided_by_content_not_by_name(client: FlaskClient) -> None:
    assert shown(client, upload(client, png(), "lie.jpg"))["metadata"]["format"] == "png"


def test_a_cut_jpeg_ends_as_failed_with_a_reason(client: FlaskClient) -> None:
    data = jpeg(1200, 900)
    image = shown(client, upload(client, data[: len(data) // 2]))
    assert (image["status"], image["error_code"]) == ("failed", "corrupt_image")
    assert image["error"]


def test_a_request_without_file_says_so(client: FlaskClient) -> None:
    refused(client.post("/api/images"), 400, "no_file")
    refused(post(client, jpeg(), field="wrong"), 400, "no_file")
    refused(client.post("/api/images", json={}), 400, "no_file")
    refused(client.post("/api/images", json={"img": ""}), 400, "no_file")


def test_more_than_one_picture_is_refused(client: FlaskClient, app: Flask) -> None:
    files = [(io.BytesIO(jpeg()), "a.jpg"), (io.BytesIO(jpeg()), "b.jpg")]
    refused(client.post("/api/images", data={"file": files}), 400, "invalid_parameter")
    assert stored_files(app) == []


@pytest.mark.parametrize("junk", ["***", "abc", "data:image/png,abc", "ééé", "AAAA=AAA"])
def test_base64_junk_is_refused(client: FlaskClient, junk: str) -> None:
    refused(client.post("/api/images", json={"img": junk}), 400, "invalid_base64")


@pytest.mark.parametrize("value", [1, ["x"], {"a": "b"}, True])
def test_base64_that_is_no_text_is_refused(client: FlaskClient, value: object) -> None:
    refused(client.post("/api/images", json={"img": value}), 400, "invalid_base64")


@pytest.mark.parametrize(
    "body", ["", "{", "[1]", '"x"', '{"img": NaN}', "[" * 20_000, '{"a":' * 20_000, "\xff\xfe{}"]
)
def test_broken_json_is_refused(client: FlaskClient, body: str) -> None:
    response = client.post("/api/images", data=body.encode("latin-1"), content_type="application/json")
    refused(response, 400, "invalid_json")


def test_a_file_over_the_byte_limit_is_refused(make_app: AppFactory) -> None:
    app = make_app(IMGPIPE_MAX_UPLOAD_BYTES="1000")
    body = refused(post(app.test_client(), jpeg()), 413, "too_large")
    assert body["details"] == {"max_bytes": 1000, "option": "IMGPIPE_MAX_UPLOAD_BYTES"}
    assert "1,000 bytes, see IMGPIPE_MAX_UPLOAD_BYTES" in body["error"]
    assert stored_files(app) == []


def test_the_byte_limit_counts_decoded_bytes(make_app: AppFactory) -> None:
    data = jpeg()
    text = base64.b64encode(data).decode()
    exact = make_app(IMGPIPE_MAX_UPLOAD_BYTES=str(len(data))).test_client()
    assert exact.post("/api/images", json={"img": text}).status_code == 202
    below = make_app(IMGPIPE_MAX_UPLOAD_BYTES=str(len(data) - 1)).test_client()
    refused(below.post("/api/images", json={"img": text}), 413, "too_large")


def test_a_header_that_claims_65500_by_65500_is_refused_before_decoding(client: FlaskClient) -> None:
    data = bytearray(jpeg(16, 16))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 65500, 65500)
    refused(post(client, bytes(data)), 413, "too_many_pixels")


def test_a_hundred_thousand_scans_are_refused(client: FlaskClient) -> None:
    data = jpeg(64, 64, progressive=True)
    scan = data.rindex(b"\xff\xda")
    refused(post(client, data[:-2] + data[scan:-2] * 100_000 + b"\xff\xd9"), 400, "too_complex")


def test_half_a_million_chunks_are_refused(client: FlaskClient) -> None:
    data = png()
    empty = struct.pack(">I", 0) + b"teXt" + struct.pack(">I", zlib.crc32(b"teXt"))
    at = data.index(b"IDAT") - 4
    refused(post(client, data[:at] + empty * 500_000 + data[at:]), 400, "too_complex")


def test_ten_thousand_form_parts_are_refused(client: FlaskClient) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
    response = client.post(
        "/api/images", data=part * 10_000 + b"--x--\r\n", content_type="multipart/form-data; boundary=x"
    )
    assert "1,000 parts" in refused(response, 413, "too_large")["error"]


@pytest.mark.parametrize(
    ("header", "shown_name"),
    [
        (b'filename="B\xe4r.jpg"', "Bär.jpg"),
        (b'filename="\xff\xfe.jpg"', "ÿþ.jpg"),
        ('filename="Bär.jpg"'.encode(), "Bär.jpg"),
        (b'filename="a\\"b.jpg"', 'a"b.jpg'),
        (b'filename="a\\\\\\"b.jpg"', '"b.jpg'),
        (b'filename="C:\\new\\"b.jpg"', 'new"b.jpg'),
        (b'filename="\x1b[31m.jpg"', "[31m.jpg"),
        (b"filename=a.jpg; filename*=UTF-8''B%C3%A4r.jpg", "Bär.jpg"),
        (b"filename*=latin-1''B%E4r.jpg", "B%E4r.jpg"),
        (b'filename="C:\\temp\\"', "image.jpg"),
        (b'filename="C:\\temp\\a.jpg\\"', "image.jpg"),
        (b'filename="a b.jpg', "a b.jpg"),
        (b'filename="', "image.jpg"),
        (b"filename=", "image.jpg"),
        (b'filename=""', "image.jpg"),
        (b'FileName = "a.jpg"', "a.jpg"),
        (b'filename="a"b.jpg"', "a"),
    ],
)
def test_no_spelling_of_a_name_refuses_an_upload(client: FlaskClient, header: bytes, shown_name: str) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; ' + header
    body = head + b"\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg() + b"\r\n--x--\r\n"
    response = client.post("/api/images", data=body, content_type="multipart/form-data; boundary=x")
    assert response.status_code == 202, response.text
    assert response.json["data"]["original_name"] == shown_name  # type: ignore[index]


@pytest.mark.parametrize(
    ("sent", "shown_name"),
    [
        ("../../etc/passwd.jpg", "passwd.jpg"),
        ("C:\\dir\\y.jpg", "y.jpg"),
        ("/", "image.jpg"),
        ("..", "image.jpg"),
        ("a\0b.jpg", "ab.jpg"),
        ("\u202egpj.exe", "gpj.exe"),
        ("图片🎈.png", "图片🎈.png"),
        ("x" * 10_000, "x" * 255),
        ("<script>alert(1)</script>.jpg", "script>.jpg"),
    ],
)
def test_a_name_never_refuses_an_upload_and_is_cleaned(
    client: FlaskClient, app: Flask, sent: str, shown_name: str
) -> None:
    image_id = upload(client, name=sent)
    assert shown(client, image_id)["original_name"] == shown_name
    assert all(image_id in str(path) for path in stored_files(app))


def test_an_id_is_a_uuid_of_version_7_and_dates_the_upload(client: FlaskClient) -> None:
    image = shown(client, upload(client))
    assert image["image_id"][14] == "7"
    milliseconds = int(image["image_id"].replace("-", "")[:12], 16) % 1000
    assert image["uploaded_at"].endswith(f".{milliseconds:03d}Z")


@pytest.mark.parametrize("threads", [True, False], ids=["threads", "others"])
def test_threads_of_the_process_are_woken_once_the_answer_is_sent_and_others_at_once(
    make_app: AppFactory, monkeypatch: pytest.MonkeyPatch, threads: bool
) -> None:
    app = make_app(IMGPIPE_JOBS="threads")
    jobs, woken = app.extensions["imgpipe"].jobs, list[str]()
    monkeypatch.setattr(type(jobs), "started", threads)
    monkeypatch.setattr(jobs, "wake", woken.append)
    app.test_client_class = FlaskClient  # which leaves the closing to us
    answer = post(app.test_client(), jpeg())
    assert (answer.status_code, woken) == (202, [] if threads else ["render"])
    answer.close()
    assert woken == ["render"]
