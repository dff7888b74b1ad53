"""API keys: who needs one, which is good for what, and that none of it depends on what is asked for."""

import io
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from imgpipe import clock, keys
from imgpipe.api.http import keys as door
from imgpipe.api.http.scopes import ALL, PUBLIC
from imgpipe.clock import utc_now
from imgpipe.database.engine import db
from tests.api.test_upload import refused
from tests.factories import AppFactory, jpeg, upload
from tests.postgres import on_sqlite

ID = "0190b0a0-0000-7000-8000-000000000000"


@pytest.fixture
def client(make_app: AppFactory) -> FlaskClient:
    return make_app(IMGPIPE_API_KEYS="first, second").test_client()


def made(
    app: Flask, scope: str, name: str | None = None, lifetime: timedelta | None = None
) -> dict[str, str]:
    """Make a key and return the header that carries it."""
    with app.app_context():
        return {"X-API-Key": keys.create(name or scope, scope, lifetime)}


def forget(app: Flask) -> None:
    """Let the moment pass for which a process trusts what it knows of a key."""
    app.extensions["imgpipe.keys"] = door._Known()


@on_sqlite
@pytest.mark.parametrize("path", ["/", "/static/index.html", "/api/health/status", "/api/health/ready/"])
def test_health_and_the_pages_own_files_are_open(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 200


@on_sqlite
@pytest.mark.parametrize(
    "path", ["/api/images", "/api/stats", "/images", "/api/openapi.json", "/api/docs", "/nothing", "/metrics"]
)
def test_everything_else_needs_a_key(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    refused(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@on_sqlite
def test_options_open_the_docs_and_the_metrics(make_app: AppFactory) -> None:
    public = {"IMGPIPE_PUBLIC_DOCS": "true", "IMGPIPE_PUBLIC_METRICS": "true"}
    client = make_app(IMGPIPE_API_KEYS="k", **public).test_client()
    for path in ("/api/docs", "/api/docs/", "/api/openapi.json"):
        assert client.get(path).status_code == 200
    assert client.get("/metrics").status_code != 401
    refused(client.get("/api/stats"), 401, "unauthorized")


@on_sqlite
@pytest.mark.parametrize(
    "headers",
    [{"X-API-Key": "first"}, {"Authorization": "Bearer second"}, {"Authorization": "bearer  first"}],
)
def test_any_of_the_keys_opens_either_way(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.get("/api/images", headers=headers).status_code == 200


@on_sqlite
@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": "firs"},
        {"X-API-Key": "first, second"},
        {"Authorization": "Basic first"},
        {"X-API-Key": "é"},
        {"X-API-Key": ""},
    ],
)
def test_no_other_key_opens(client: FlaskClient, headers: dict[str, str]) -> None:
    refused(client.get("/api/images", headers=headers), 401, "unauthorized")


def test_the_first_key_shuts_the_door_and_revoking_the_last_never_opens_it(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/api/stats").status_code == 200
    key = made(app, "all", "only")
    forget(app)
    refused(client.get("/api/stats"), 401, "unauthorized")
    assert client.get("/api/stats", headers=key).status_code == 200
    with app.app_context():
        keys.revoke("only")
    forget(app)
    refused(client.get("/api/stats", headers=key), 401, "unauthorized")
    refused(client.get("/api/stats"), 401, "unauthorized")


def test_an_expired_key_opens_nothing_and_the_door_stays_shut(app: Flask) -> None:
    client, key = app.test_client(), made(app, "all", lifetime=timedelta(days=90))
    assert client.get("/api/stats", headers=key).status_code == 200
    later = utc_now() + timedelta(days=91)
    clock.replace(lambda: later)
    try:
        refused(client.get("/api/stats", headers=key), 401, "unauthorized")
        forget(app)
        refused(client.get("/api/stats", headers=key), 401, "unauthorized")
        refused(client.get("/api/stats"), 401, "unauthorized")
    finally:
        clock.replace(None)


def test_only_digests_of_keys_are_stored(app: Flask) -> None:
    key = made(app, "all")["X-API-Key"]
    assert len(key) >= 32
    with app.app_context(), db.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM api_keys").all()
    assert key not in str(rows)
    assert key.removeprefix("imgpipe_") not in str(rows)


def operations(client: FlaskClient, headers: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (method, path) of everything that the OpenAPI document knows."""
    spec = client.get("/api/openapi.json", headers=headers).json
    assert spec is not None
    values = {"id": ID, "comment_id": ID, "log": "default", "name": "small", "hex": "0" * 64}
    for template, methods in spec["paths"].items():
        path = re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], "x"), template)
        yield from ((method.upper(), path) for method in methods if method != "parameters")


def test_with_a_read_key_nothing_changes_and_everything_can_be_read(app: Flask) -> None:
    client, headers = app.test_client(), made(app, "read")
    seen = set()
    for method, path in operations(client, headers):
        answer = client.open(path, method=method, headers=headers)
        if method in ("GET", "HEAD"):
            assert answer.status_code not in (401, 403), (method, path)
        else:
            body = refused(answer, 403, "forbidden")
            assert body["details"]["scope"] in ("all", "upload")
            seen.add(method)
    assert seen >= {"POST", "DELETE", "PATCH"}


UPLOAD = {
    *(("POST", path) for path in ("/api/images", "/api/images/analyze-image", "/analyze-image")),
    *(("POST", path) for path in ("/api/frames", "/upload")),
    *(("POST", path) for path in (f"/api/images/{ID}/comments", f"/image/{ID}/comment")),
    *(("GET", path) for path in (f"/api/images/{ID}", f"/api/images/{ID}/thumbnails/small")),
    *((method, f"/api/images/by-sha256/{'0' * 64}") for method in ("GET", "HEAD")),
    ("GET", "/api/thumbnails/x"),
    *(("GET", path) for path in ("/api/health/status", "/api/health/ready")),
}


def test_with_an_upload_key_only_what_uploading_needs_is_open(app: Flask) -> None:
    client, headers = app.test_client(), made(app, "upload")
    opened = {
        (method, path)
        for method, path in operations(client, made(app, "read"))
        if client.open(path, method=method, headers=headers).status_code != 403
    }
    assert opened <= UPLOAD
    assert opened >= {pair for pair in UPLOAD if pair[0] != "HEAD"}


@on_sqlite
def test_every_route_that_reads_declares_so_and_none_that_changes_is_public(app: Flask) -> None:
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            scope, methods = door.scope_of(rule.endpoint), set(rule.methods or ())
            if "GET" in methods:
                assert "read" in scope or scope == PUBLIC, f"declare a scope for {rule.rule}"
            else:
                assert scope in (ALL, frozenset({"upload"})), rule.rule


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/nothing"),
        ("PUT", "/api/images"),
        ("DELETE", f"/api/images/{ID}"),
        ("DELETE", "/api/images/x"),
    ],
)
@on_sqlite
def test_the_scope_is_judged_before_existence_and_body(app: Flask, method: str, path: str) -> None:
    huge = {"CONTENT_LENGTH": str(2**40)}
    for scope in ("read", "upload"):
        answer = app.test_client().open(
            path, method=method, headers=made(app, scope), environ_overrides=huge, data=b"{"
        )
        assert refused(answer, 403, "forbidden")["details"] == {"scope": "all"}


@on_sqlite
def test_a_wrong_method_is_judged_as_the_right_one_is(client: FlaskClient) -> None:
    refused(client.post("/api/health/status"), 405, "method_not_allowed")
    refused(client.post("/api/stats"), 401, "unauthorized")


@on_sqlite
def test_a_page_that_is_not_there_may_be_looked_for(app: Flask) -> None:
    refused(app.test_client().get("/nothing", headers=made(app, "read")), 404, "not_found")


@on_sqlite
def test_the_name_of_the_key_stands_in_the_log_and_the_key_does_not(app: Flask) -> None:
    headers = made(app, "upload", "camera-3")
    form = {"file": (io.BytesIO(jpeg()), "a.jpg")}
    assert app.test_client().post("/api/images", headers=headers, data=form).status_code == 202
    log = (app.extensions["imgpipe"].settings.data_dir / "logs" / "app.log").read_text()
    assert re.search(r"POST /api/images 202 .*key=camera-3", log)
    assert headers["X-API-Key"] not in log


def test_a_name_can_be_used_again_once_its_key_is_revoked(app: Flask) -> None:
    first = made(app, "read", "team")
    with app.app_context():
        with pytest.raises(Exception, match="revoke"):
            keys.create("team", "all")
        keys.revoke("team")
        with pytest.raises(Exception, match="no key"):
            keys.revoke("team")
    second = made(app, "read", "team")
    assert app.test_client().get("/api/stats", headers=second).status_code == 200
    refused(app.test_client().get("/api/stats", headers=first), 401, "unauthorized")


@on_sqlite
def test_without_a_database_no_key_of_it_opens_but_the_configured_do(make_app: AppFactory) -> None:
    app = make_app(IMGPIPE_API_KEYS="configured")
    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE api_keys")
    client = app.test_client()
    assert client.get("/api/stats", headers={"X-API-Key": "configured"}).status_code == 200
    assert client.get("/api/stats", headers={"X-API-Key": "imgpipe_x"}).status_code >= 500
    assert client.get("/api/health/status").status_code == 200


def test_an_open_installation_asks_for_nothing(client: FlaskClient, app: Flask) -> None:
    assert upload(app.test_client())
