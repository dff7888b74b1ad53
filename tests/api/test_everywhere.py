"""What holds for every route: one shape of errors, an id a request, safe headers, both slashes."""

import io
import json
import logging
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from imgpipe import errors
from imgpipe.api.http.requests import DRAIN_BYTES
from imgpipe.database.engine import db
from imgpipe.errors import ImgpipeError
from tests.api.test_upload import refused
from tests.factories import AppFactory, jpeg, post, upload
from tests.postgres import on_sqlite


@pytest.mark.parametrize("path", ["/nothing", "/api/nothing", "/api/images/a/b/c", "/%00", "/api/%F0%9F"])
def test_an_unknown_route_answers_in_the_one_shape(client: FlaskClient, path: str) -> None:
    refused(client.get(path), 404, "not_found")


def test_a_wrong_method_names_the_right_ones(client: FlaskClient) -> None:
    response = client.put("/api/images")
    refused(response, 405, "method_not_allowed")
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize("path", ["/api/images", "/api/stats", "/api/health/status", "/api/docs"])
def test_trailing_slashes_make_no_difference(client: FlaskClient, path: str) -> None:
    assert client.get(path).data == client.get(path + "/").data


def test_a_bug_answers_500_without_saying_more(app: Flask, client: FlaskClient) -> None:
    def broken() -> str:
        raise RuntimeError("secret detail at /some/path")

    app.add_url_rule("/broken", view_func=broken)
    body = refused(client.get("/broken"), 500, "internal_error")
    assert "secret" not in json.dumps(body)


@on_sqlite  # PostgreSQL really goes away in tests/faults
def test_a_database_that_is_away_answers_503_and_when_to_come_back(app: Flask, client: FlaskClient) -> None:
    file = app.extensions["imgpipe"].settings.data_dir / "imgpipe.db"
    with app.app_context():
        db.engine.dispose()
    file.rename(file.with_name("elsewhere.db"))
    file.mkdir()
    response = post(client, jpeg())
    refused(response, 503, "unavailable")
    assert int(response.headers["Retry-After"]) > 0


def test_a_request_keeps_its_id_and_a_bad_one_gets_a_new_one(client: FlaskClient) -> None:
    assert client.get("/", headers={"X-Request-ID": "abc-1"}).headers["X-Request-ID"] == "abc-1"
    given = client.get("/", headers={"X-Request-ID": "a b" * 99}).headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", given)


def test_the_log_says_which_request_and_which_picture(client: FlaskClient, app: Flask) -> None:
    image_id = upload(client, jpeg(900, 900)[:9000])
    client.get("/nothing", headers={"X-Request-ID": "find-me"})
    folder = app.extensions["imgpipe"].settings.data_dir / "logs"
    logging.getLogger("imgpipe.test").warning("a line\nof two")
    lines = (folder / "app.log").read_text().splitlines()
    assert any("[find-me]" in line and "GET /nothing 404" in line for line in lines)
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z [A-Z]+ +\[", line) for line in lines)
    assert image_id


def test_json_logs_are_one_object_a_line(make_app: AppFactory) -> None:
    app = make_app(IMGPIPE_LOG_FORMAT="json")
    app.test_client().get("/nothing", headers={"X-Request-ID": "find-me"})
    folder = app.extensions["imgpipe"].settings.data_dir / "logs"
    entries = [json.loads(line) for line in (folder / "app.log").read_text().splitlines()]
    assert entries[-1]["about"] == "find-me"
    assert set(entries[-1]) == {"time", "level", "about", "logger", "message"}


def test_a_refused_body_is_read_away_within_bounds(client: FlaskClient) -> None:
    body = io.BytesIO(b"x" * (3 * 2**20))
    response = client.post("/api/stats", input_stream=body, headers={"Content-Length": str(3 * 2**20)})
    refused(response, 405, "method_not_allowed")
    assert body.read(1) == b""
    assert DRAIN_BYTES == 256 * 2**20


def test_a_wrong_method_for_a_route_beside_the_ids_is_405(client: FlaskClient) -> None:
    for method in ("GET", "DELETE", "PUT"):
        response = client.open("/api/images/analyze-image", method=method)
        refused(response, 405, "method_not_allowed")
        assert "POST" in response.headers["Allow"]
    assert set(client.options("/api/images/analyze-image").allow) == {"POST", "OPTIONS"}
    refused(client.get("/api/images/analyze-images"), 404, "image_not_found")


def test_the_text_log_shows_control_characters_and_obeys_none(client: FlaskClient, app: Flask) -> None:
    client.get("/\x1b[2J\x9b31m\u202etxt", headers={"X-Request-ID": "find-me"})
    folder = app.extensions["imgpipe"].settings.data_dir / "logs"
    try:
        raise ValueError("red \x1b[31m\r\nGET /forged 200")
    except ValueError:
        logging.getLogger("imgpipe.test").exception("a \x07 bell")
    text = (folder / "app.log").read_bytes().decode()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert "/\\x1b[2J\\x9b31m\\u202etxt 404" in text
    assert not re.search("^GET /forged", text, re.MULTILINE)


def test_a_body_over_the_routes_limit_names_it(client: FlaskClient) -> None:
    huge = {"CONTENT_LENGTH": str(2**40)}
    for path, limit in (
        ("/api/images", "33,554,432 bytes, see IMGPIPE_MAX_UPLOAD_BYTES"),
        ("/api/frames", "2,147,483,648 bytes, see IMGPIPE_MAX_CSV_BYTES"),
        (f"/api/images/{upload(client)}/comments", "1,048,576 bytes"),
    ):
        form = "multipart/form-data; boundary=b"
        response = client.post(path, data=b"x", content_type=form, environ_overrides=huge)
        assert limit in refused(response, 413, "too_large")["error"]


def test_health_tells_each_part(client: FlaskClient) -> None:
    assert client.get("/api/health/status").json == {"status": "healthy"}
    ready = client.get("/api/health/ready")
    assert ready.json is not None
    assert ready.json["status"] == "healthy"
    assert ready.json["checks"] == {"database": "ok", "storage": "ok", "jobs": "ok"}


def test_ready_names_what_is_down(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        db.session.execute(text("DROP TABLE tallies"))
        db.session.commit()
    ready = client.get("/api/health/ready")
    assert ready.status_code == 503
    assert ready.json is not None
    assert ready.json["checks"]["database"] == "down"
    assert ready.json["checks"]["storage"] == "ok"


def test_the_description_is_openapi_and_names_every_api_route(app: Flask, client: FlaskClient) -> None:
    spec = client.get("/api/openapi.json").json
    assert spec is not None
    assert spec["openapi"].startswith("3.")
    routes = {re.sub(r"<(?:\w+:)?([\w:]+)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}
    assert set(spec["paths"]) == routes - {
        "/api/openapi.json",
        "/api/docs",
        "/",
        "/static/{filename}",
        "/metrics",
    }


def test_what_is_a_list_is_described_as_a_list(client: FlaskClient) -> None:
    spec = client.get("/api/openapi.json").json
    assert spec is not None
    answer = spec["paths"]["/api/frames/colormaps"]["get"]["responses"]["200"]
    envelope = answer["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert spec["components"]["schemas"][envelope]["properties"]["data"]["type"] == "array"


def test_the_docs_page_needs_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/api/docs")
    assert page.status_code == 200
    assert "POST /api/images" in page.text
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page.text)
    assert "<script" not in page.text
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]


def test_every_error_has_a_code_of_its_own_and_a_sentence() -> None:
    leaves = [leaf for leaf in ImgpipeError.__subclasses__() if leaf is not errors.ConfigError]
    assert len({leaf.code for leaf in leaves}) == len(leaves)
    assert all(leaf.sentence and 400 <= leaf.status <= 503 for leaf in leaves)
