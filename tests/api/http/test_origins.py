"""A page of another site can neither change anything nor pass for this host; everything else is as before."""

from uuid import UUID

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.test_upload import refused
from tests.factories import AppFactory, upload
from tests.postgres import on_sqlite

HERE = "127.0.0.1:5000"
EVIL = "http://evil.example"
pytestmark = on_sqlite  # no answer here comes out of it


@pytest.fixture
def client(make_app: AppFactory) -> FlaskClient:
    return make_app().test_client()


def ask(
    client: FlaskClient, host: str, bound: str = "127.0.0.1", method: str = "GET", **headers: str
) -> TestResponse:
    """Ask for something under a host's name, at a socket bound to an address."""
    socket = {"SERVER_NAME": bound, "SERVER_PORT": "5000"}
    return client.open(
        "/api/stats", method=method, headers={"Host": host} | headers, environ_overrides=socket
    )


WAYS = (
    *("/api/images", "/api/images/analyze-image", "/analyze-image", "/api/frames", "/upload", "/nothing"),
    *(f"/api/images/{UUID(int=1)}/comments", f"/api/images/{UUID(int=1)}/retry"),
)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": f"http://{HERE}"},
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:5001"},
        {"Origin": "http://127.0.0.1"},
    ],
)
def test_a_page_of_another_site_changes_nothing(client: FlaskClient, headers: dict[str, str]) -> None:
    for path in WAYS:
        refused(client.post(path, headers={"Host": HERE} | headers, data={"text": "x"}), 403, "cross_site")


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "PUT"])
def test_no_changing_method_is_forgotten(client: FlaskClient, method: str) -> None:
    refused(ask(client, HERE, method=method, Origin=EVIL), 403, "cross_site")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": f"http://{HERE}"},
        {"Origin": f"HTTP://{HERE}"},
        {"Origin": f"http://{HERE}", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:5001"},
        {"Host": "photos.example", "Origin": "https://photos.example"},
        {"Host": "photos.example", "Origin": "https://photos.example:8443"},
        {"Host": "photos.example:8443", "Origin": "https://photos.example:8443"},
        {"Host": "[::1]:5000", "Origin": "http://[::1]:5000"},
    ],
)
def test_the_page_itself_scripts_and_older_clients_go_on(
    make_app: AppFactory, headers: dict[str, str]
) -> None:
    client = make_app(IMGPIPE_PROXY_HOPS="1").test_client()
    sent = {"Host": HERE} | headers
    assert client.post("/api/images", headers=sent, json={}).json["code"] == "no_file"  # type: ignore[index]


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": EVIL}])
def test_reading_is_not_concerned(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.get("/api/stats", headers={"Host": HERE} | headers)
    assert answer.status_code == 200
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_base_url_is_an_origin_of_ours(make_app: AppFactory) -> None:
    client = make_app(BASE_URL="https://photos.example/pipe").test_client()
    for headers in ({"Origin": "https://photos.example"}, {"Origin": "https://photos.example"}):
        assert client.post("/api/images", headers=headers, json={}).status_code == 400


OURS = (HERE, "localhost", "LOCALHOST:5000", "[::1]:5000", "127.9.9.9", "localhost.", "x.localhost")
OTHERS = ("evil.example", "evil.example:5000", "127.0.0.1.evil.example", "localhost.evil.example", "[::2]")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_on_loopback_its_names_are_served_and_no_other(client: FlaskClient, address: str) -> None:
    for host in OURS:
        assert ask(client, host, address).status_code == 200
    for host in OTHERS:
        body = refused(ask(client, host, address), 400, "invalid_host")
        assert "IMGPIPE_ALLOWED_HOSTS" in body["error"]


@pytest.mark.parametrize("options", [{"IMGPIPE_PROXY_HOPS": "1"}, {"BASE_URL": "https://photos.example/x"}])
def test_behind_a_proxy_that_passes_its_own_name_one_option_is_enough(
    make_app: AppFactory, options: dict[str, str]
) -> None:
    client = make_app(**options).test_client()
    assert ask(client, "photos.example").status_code == 200
    assert ask(client, "photos.example", method="POST", Origin="https://photos.example").status_code == 405


def test_on_any_other_address_every_name_is_served(client: FlaskClient) -> None:
    assert ask(client, "evil.example", "0.0.0.0").status_code == 200


def test_allowed_hosts_are_the_only_ones_wherever_it_listens(make_app: AppFactory) -> None:
    client = make_app(IMGPIPE_ALLOWED_HOSTS="photos.example, other.example:81").test_client()
    for address in ("0.0.0.0", "127.0.0.1"):
        assert ask(client, "Photos.Example:8080", address).status_code == 200
        assert ask(client, "other.example:81", address).status_code == 200
        for host in ("other.example", HERE, ""):
            refused(ask(client, host, address), 400, "invalid_host")


def test_forwarded_headers_are_believed_of_known_proxies_only(make_app: AppFactory) -> None:
    forged = {"X-Forwarded-Host": "photos.example", "X-Forwarded-Prefix": "/pipe"}
    for hops, begins in (("0", "/api/images/"), ("1", "/pipe/api/images/")):
        client = make_app(IMGPIPE_PROXY_HOPS=hops).test_client()
        upload(client)
        listed = client.get("/api/images", headers=forged).json
        assert listed is not None
        assert listed["data"][0]["original_url"].startswith(begins)


PAGE = "https://page.example"


def test_listed_origins_may_read_and_write(make_app: AppFactory) -> None:
    options = {"IMGPIPE_CORS_ORIGINS": f"{PAGE}, http://localhost:3000", "IMGPIPE_API_KEYS": "k"}
    client = make_app(**options).test_client()
    asks = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key, idempotency-key",
    }
    preflight = client.options("/api/images", headers=asks)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == PAGE
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "x-api-key" in preflight.headers["Access-Control-Allow-Headers"]
    sent = {"Origin": PAGE, "Sec-Fetch-Site": "cross-site", "X-API-Key": "k"}
    answer = client.post("/api/images", headers=sent, json={})
    assert answer.json["code"] == "no_file"  # type: ignore[index]
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Location" in answer.headers["Access-Control-Expose-Headers"]
    assert "Origin" in answer.headers["Vary"]


def test_other_origins_may_not_and_a_preflight_opens_no_door(make_app: AppFactory) -> None:
    client = make_app(IMGPIPE_CORS_ORIGINS=PAGE, IMGPIPE_API_KEYS="k").test_client()
    asks = {"Origin": EVIL, "Access-Control-Request-Method": "POST"}
    assert "Access-Control-Allow-Origin" not in client.options("/api/images", headers=asks).headers
    refused(client.post("/api/images", headers={"Origin": EVIL, "X-API-Key": "k"}), 403, "cross_site")
    refused(client.get("/api/images", headers={"Origin": PAGE}), 401, "unauthorized")
