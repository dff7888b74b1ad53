"""A page of another site: a real browser asks first, and lets it do what the configuration allows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser

from tests.factories import jpeg
from tests.servers import Server, serving

KEY = "a-key-of-a-page-of-another-site-4711"
# Another site than 127.0.0.1 to a browser, and not only another port of the same.
HOST = "localhost"
FETCH = """async ([url, options]) => {
  try {
    const answer = await fetch(url, options);
    const names = ["ETag", "Location", "X-Request-ID", "Retry-After", "Idempotent-Replayed"];
    const headers = Object.fromEntries(names.map((name) => [name, answer.headers.get(name)]));
    return {status: answer.status, headers, text: await answer.text()};
  } catch (error) {
    return {blocked: String(error)};
  }
}"""
Fetch = Callable[..., dict[str, Any]]


class _Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><link rel=icon href=data:,><title>another site</title>")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def a_site() -> Iterator[str]:
    """Serve an empty page; yields its origin."""
    with ThreadingHTTPServer((HOST, 0), _Blank) as site:
        Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{site.server_port}"
        site.shutdown()


@pytest.fixture(scope="module")
def sites() -> Iterator[tuple[str, str]]:
    with a_site() as listed, a_site() as stranger:
        yield listed, stranger


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, sites: tuple[str, str]) -> Iterator[Server]:
    options = {"IMGPIPE_CORS_ORIGINS": sites[0], "IMGPIPE_API_KEYS": KEY, "WEB_CONCURRENCY": "1"}
    with serving(tmp_path_factory.mktemp("origins"), **options) as running:
        yield running


@pytest.fixture
def image(service: Server) -> str:
    """Return the address of a picture that is done."""
    answer = ask(service, "POST", "/api/images", files={"file": ("a.jpg", jpeg())})
    path = f"/api/images/{answer.json()['data']['image_id']}"
    assert ask(service, "GET", f"{path}?wait=30").json()["data"]["status"] == "success"
    return f"{service.url}{path}"


def ask(service: Server, method: str, path: str, **options: Any) -> requests.Response:
    """Ask as a program with the key does."""
    options["headers"] = {"Authorization": f"Bearer {KEY}"} | options.get("headers", {})
    return requests.request(method, service.url + path, timeout=60, **options)


@contextmanager
def fetching(browser: Browser, origin: str) -> Iterator[Fetch]:
    """Yield a function that fetches as a script of a page of ``origin`` does, with the key."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(origin)

    def fetch(url: str, method: str = "GET", body: str | None = None, **headers: str) -> dict[str, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        options = {"method": method, "headers": {"Authorization": f"Bearer {KEY}"} | named}
        found: dict[str, Any] = page.evaluate(FETCH, [url, options | ({"body": body} if body else {})])
        return found

    yield fetch
    context.close()


def test_a_listed_site_may_do_all_that_its_key_may(
    browser: Browser, service: Server, sites: tuple[str, str], image: str
) -> None:
    json = {"Content_Type": "application/json", "Idempotency_Key": f"say it once {image}"}
    with fetching(browser, sites[0]) as fetch:
        made = fetch(f"{image}/comments", "POST", '{"text": "from elsewhere"}', **json)
        assert (made["status"], made["headers"]["Idempotent-Replayed"]) == (201, None), made
        again = fetch(f"{image}/comments", "POST", '{"text": "from elsewhere"}', **json)
        assert (again["status"], again["headers"]["Idempotent-Replayed"]) == (201, "true")
        shown = fetch(image)
        assert shown["headers"]["X-Request-ID"]
        edit = {"Content_Type": "application/json", "If_Match": shown["headers"]["ETag"]}
        assert fetch(image, "PATCH", '{"labels": ["seen"]}', **edit)["status"] == 200
        assert fetch(image, "PATCH", '{"labels": []}', **edit)["status"] == 412
        assert fetch(image, "PUT", "{}", Content_Type="application/json")["status"] == 405
        sent = fetch(f"{service.url}/api/images", "POST", "no picture", X_File_Name="a.jpg")
        assert sent["status"] in (400, 415), sent
        assert fetch(image, "DELETE")["status"] == 204
        assert fetch(image)["status"] == 404


def test_a_wrong_key_is_an_answer_that_the_page_can_read(
    browser: Browser, service: Server, sites: tuple[str, str]
) -> None:
    with fetching(browser, sites[0]) as fetch:
        refused = fetch(f"{service.url}/api/images", Authorization="Bearer wrong")
    assert refused["status"] == 401
    assert '"unauthorized"' in refused["text"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_another_site_is_stopped_before_it_changes_anything(
    browser: Browser, service: Server, sites: tuple[str, str], image: str, method: str
) -> None:
    before = requests.get(image, headers={"X-API-Key": KEY}, timeout=60).json()["data"]
    body = None if method == "DELETE" else '{"labels": ["mine"], "text": "mine"}'
    with fetching(browser, sites[1]) as fetch:
        for url in (image, f"{image}/comments"):
            assert "blocked" in fetch(url, method, body, Content_Type="application/json")
        assert "blocked" in fetch(image), "nor may it read"
    assert requests.get(image, headers={"X-API-Key": KEY}, timeout=60).json()["data"] == before
    comments = requests.get(f"{image}/comments", headers={"X-API-Key": KEY}, timeout=60).json()
    assert comments["data"] == []


def test_what_a_browser_sends_without_asking_first_is_refused(
    browser: Browser, server: Server, sites: tuple[str, str]
) -> None:
    """A form's POST needs no preflight; without keys only the service itself can refuse it."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(sites[1])
    options = {"method": "POST", "body": "img=iVBORw0KGgo", "mode": "no-cors"}
    options["headers"] = {"Content-Type": "application/x-www-form-urlencoded"}  # type: ignore[assignment]
    with page.expect_response(f"{server.url}/api/images") as waiting:
        page.evaluate("([url, options]) => { fetch(url, options) }", [f"{server.url}/api/images", options])
    assert waiting.value.status == 403
    context.close()
    assert server.get("/api/stats")["total"] == 0
