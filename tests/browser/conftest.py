"""Drive the page in a real Chromium over a real server; every visit is watched for errors and strangers."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect, sync_playwright

from tests.browser.crowds import multiply
from tests.captions.provider import Provider, serve
from tests.factories import jpeg
from tests.servers import Server, serving

CROWD = 50_000
PATIENCE_MS = 30_000  # for a machine that has much else to do
FAILED = 500
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--process-per-site",  # a page beside another of its context starts in half of the time
]
# What Chromium itself writes to the console about any answer from 400 on.
REFUSAL = "Failed to load resource: the server responded with a status of"
Visit = Callable[..., Page]


def _chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    if os.environ.get("CI") == "true":
        raise RuntimeError("CI=true, and there is no Chromium on this machine")
    pytest.skip("there is no Chromium on this machine")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return the system's Chromium, headless."""
    path = _chromium()
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server for all modules: starting one takes longer than most tests."""
    with serving(tmp_path_factory.mktemp("page"), WEB_CONCURRENCY="1") as running:
        yield running


@pytest.fixture(scope="module")
def server(shared: Server) -> Server:
    """Return a server that holds nothing when a module begins, whichever ran before it."""
    while images := shared.get("/api/images", limit=500):
        for image in images:
            shared.delete(image["image_id"])
    for log in shared.get("/api/frames/logs"):
        requests.delete(
            f"{shared.url}/api/frames/logs/{quote(log['log'], safe='')}", timeout=60
        ).raise_for_status()
    return shared


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """Return a caption provider on loopback."""
    with serve() as running:
        yield running


def asking(provider: Provider) -> dict[str, str]:
    """Return the options of a server that asks the provider."""
    return {
        "IMGPIPE_CAPTIONER": "openai",
        "OPENAI_API_KEY": "sk-test-4mZq8Wv2Lr7Xc1Tn",
        "IMGPIPE_CAPTION_URL": provider.openai_url,
        "WEB_CONCURRENCY": "1",
    }


@pytest.fixture(scope="session")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server that holds 50,000 pictures, and 500 more that failed."""
    with serving(tmp_path_factory.mktemp("crowd"), WEB_CONCURRENCY="1") as running:
        running.upload(jpeg(24, 16), "crowd.jpg")
        running.await_all_done()
        multiply(running, CROWD, original_name="crowd {n}.jpg")
        multiply(
            running, FAILED, original_name="failed {n}.jpg", status="failed", error="Broken.", facts=None
        )
        yield running


@pytest.fixture(scope="session")
def used(browser: Browser) -> Callable[..., BrowserContext]:
    """Return a function that gives the one context of its options, whose process is kept alive by a page."""
    kept: dict[str, BrowserContext] = {}

    def context_of(url: str, options: dict[str, Any]) -> BrowserContext:
        name = repr(sorted(options.items()))
        if name not in kept:
            kept[name] = browser.new_context(**options)
            kept[name].new_page().goto("/".join([*url.split("/")[:3], "static", "icon.svg"]))
        return kept[name]

    return context_of


@pytest.fixture
def visit(browser: Browser, used: Callable[..., BrowserContext]) -> Iterator[Visit]:
    """Return a function that opens an address; at the end no error and no foreign host may have been met.

    ``tolerated`` is how a console error begins that belongs to the test, ``record`` hears every address that
    is asked for, ``anew`` is for what needs, or leaves behind, a cache, a clock or permissions of its own;
    further options are the context's.
    """
    opened: list[Page | BrowserContext] = []
    faults: list[str] = []

    def open_page(
        url: str,
        tolerated: str = "-",
        record: Callable[[str], None] | None = None,
        anew: bool = False,
        **options: Any,
    ) -> Page:
        context = browser.new_context(**options) if anew else used(url, options)
        page = context.new_page()
        opened.append(context if anew else page)
        page.set_default_timeout(PATIENCE_MS)
        _watch(page, url, tolerated, faults)
        if record:
            page.on("request", lambda request: record(request.url))
        page.goto(url)
        return page

    yield open_page
    for one in opened:
        one.close()
    assert not faults


def _watch(page: Page, url: str, tolerated: str, faults: list[str]) -> None:
    host = "/".join(url.split("/")[:3]) + "/"

    def told(kind: str, text: str, source: str) -> None:
        if kind in ("error", "warning") and not text.startswith(tolerated):
            faults.append(f"console {kind}: {text} ({source})")

    def requested(address: str) -> None:
        if not address.startswith((host, "data:", "blob:" + host)):
            faults.append(f"request to {address}")

    def alerted(dialog: Dialog) -> None:
        faults.append(f"script ran: {dialog.message}")
        dialog.dismiss()

    page.on("console", lambda message: told(message.type, message.text, message.location["url"]))
    page.on("pageerror", lambda error: faults.append(f"page error: {error}"))
    page.on("dialog", alerted)
    page.on("request", lambda request: requested(request.url))


@pytest.fixture
def photos(tmp_path: Path) -> Callable[..., list[Path]]:
    """Return a function that writes pictures to disk under the names given."""

    def write(*names: str) -> list[Path]:
        paths = [tmp_path / name for name in names]
        for path in paths:
            path.write_bytes(jpeg(320, 200))
        return paths

    return write
