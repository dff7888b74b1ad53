"""API keys: when there are some, everything but health and the page's own files needs one."""

import pytest
from flask.testing import FlaskClient

from tests.api.test_upload import refused
from tests.factories import AppFactory


@pytest.fixture
def client(make_app: AppFactory) -> FlaskClient:
    return make_app(IMGPIPE_API_KEYS="first, second").test_client()


@pytest.mark.parametrize("path", ["/", "/static/index.html", "/api/health/status", "/api/health/ready"])
def test_health_and_the_pages_own_files_are_open(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    "path", ["/api/images", "/api/stats", "/images", "/api/openapi.json", "/api/docs", "/nothing"]
)
def test_everything_else_needs_a_key(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    refused(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "headers",
    [{"X-API-Key": "first"}, {"Authorization": "Bearer second"}, {"Authorization": "bearer  first"}],
)
def test_any_of_the_keys_opens_either_way(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.get("/api/images", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": "firs"},
        {"X-API-Key": "first, second"},
        {"Authorization": "Basic first"},
        {"X-API-Key": "é"},
    ],
)
def test_no_other_key_opens(client: FlaskClient, headers: dict[str, str]) -> None:
    refused(client.get("/api/images", headers=headers), 401, "unauthorized")
