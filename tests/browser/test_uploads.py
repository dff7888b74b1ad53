"""Uploads: by the input, by drop; progress, refusals, and trying again."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, Route, expect

from tests.browser.acts import drop, frames, until
from tests.browser.conftest import REFUSAL, Visit
from tests.factories import jpeg
from tests.servers import Server

Photos = Callable[..., list[Path]]
_UNFILTERED = re.compile(r"/api/images(\?limit=\d+)?$")


def test_chosen_files_become_thumbnails(server: Server, visit: Visit, photos: Photos) -> None:
    page = visit(server.url)
    page.set_input_files("#files", photos("one.jpg", "two.jpg", "three.jpg", "four.jpg", "five.jpg"))
    for name in ("one.jpg", "five.jpg"):
        tile = page.locator("#tiles li", has_text=name).first
        expect(tile).to_have_attribute("data-state", "success")
        expect(tile.locator("img")).to_have_js_property("naturalWidth", 320)
    expect(page.locator("#uploads")).to_contain_text("5 of 5 uploaded")


def test_dropped_files_become_thumbnails(server: Server, visit: Visit) -> None:
    page = visit(server.url)
    page.wait_for_selector("#stats summary")
    drop(page, {"dropped.jpg": jpeg(90, 60)})
    expect(page.locator("#tiles li", has_text="dropped.jpg")).to_have_attribute("data-state", "success")


def test_no_more_than_three_uploads_are_in_flight(server: Server, visit: Visit, photos: Photos) -> None:
    page = visit(server.url)
    held: list[Route] = []
    page.route("**/api/images", lambda route: held.append(route))
    page.set_input_files("#files", photos(*(f"held {number}.jpg" for number in range(7))))
    expect(page.locator("#uploads progress")).to_have_count(3)
    until(page, lambda: len(held) >= 3)
    frames(page)
    assert len(held) == 3
    page.route("**/api/images", lambda route: route.continue_())
    for route in held:
        route.continue_()
    expect(page.locator("#uploads")).to_contain_text("7 of 7 uploaded")


def test_a_refusal_stands_at_its_file_and_can_be_dismissed(
    server: Server, visit: Visit, tmp_path: Path
) -> None:
    page = visit(server.url, tolerated=REFUSAL)
    (tmp_path / "notes.jpg").write_text("this is no picture")
    page.set_input_files("#files", tmp_path / "notes.jpg")
    row = page.locator("#uploads li", has_text="notes.jpg")
    expect(row).to_contain_text("Unsupported file type. Use JPG or PNG.")
    expect(page.locator(".faults").get_by_role("button", name="Retry")).to_have_count(0)  # it would not help
    page.get_by_role("button", name="Dismiss all").click()
    expect(row).to_have_count(0)


def test_an_upload_that_failed_can_be_tried_again(server: Server, visit: Visit, photos: Photos) -> None:
    page = visit(server.url, tolerated="Failed to load resource")
    page.route(
        "**/api/images", lambda route: route.abort() if route.request.method == "POST" else route.continue_()
    )
    page.set_input_files("#files", photos("again.jpg"))
    row = page.locator("#uploads li", has_text="again.jpg")
    expect(row).to_contain_text("The server cannot be reached.")
    page.unroute("**/api/images")
    page.locator(".faults").get_by_role("button", name="Retry").click()
    expect(page.locator("#tiles li", has_text="again.jpg")).to_have_attribute("data-state", "success")


def test_what_is_uploaded_twice_stands_there_twice(server: Server, visit: Visit, photos: Photos) -> None:
    page = visit(server.url)
    page.set_input_files("#files", photos("twin.jpg") * 2)
    expect(page.locator("#uploads")).to_contain_text("2 of 2 uploaded")
    expect(page.locator("#tiles li", has_text="twin.jpg")).to_have_count(2)


def _hold(page: Page, method: str, answer: Callable[[Route], dict[str, Any]]) -> list[Callable[[], None]]:
    """Have such requests about pictures answered, but keep what is said until it is called for."""
    held: list[Callable[[], None]] = []

    def keep(route: Route) -> None:
        if route.request.method != method:
            return route.fallback()
        said = answer(route)
        return held.append(lambda: route.fulfill(**said))

    page.route(_UNFILTERED, keep)
    return held


def _listed(route: Route) -> dict[str, Any]:
    return {"response": route.fetch()}


def _await_one(page: Page, held: list[Callable[[], None]]) -> Callable[[], None]:
    until(page, lambda: bool(held))
    return held.pop()


@pytest.mark.parametrize("first", ["upload", "list"])
def test_a_picture_stands_once_whichever_answer_comes_first(
    server: Server, visit: Visit, photos: Photos, first: str
) -> None:
    page = visit(server.url)
    name = f"{first} first.jpg"

    def uploaded(_: Route) -> dict[str, Any]:  # a route does not know the files of a form
        response = requests.post(f"{server.url}/api/images", files={"file": (name, jpeg(90, 60))}, timeout=60)
        return {"status": response.status_code, "body": response.content, "content_type": "application/json"}

    uploads, lists = _hold(page, "POST", uploaded), _hold(page, "GET", _listed)
    page.set_input_files("#files", photos(name))
    upload = _await_one(page, uploads)
    page.select_option("select[name=status]", "processing")
    page.wait_for_url("**/#/?status=processing")
    page.select_option("select[name=status]", "")
    listing = _await_one(page, lists)
    tiles = page.locator("#tiles li", has_text=name)
    for answer in (upload, listing) if first == "upload" else (listing, upload):
        answer()
        expect(tiles).to_have_attribute("data-state", "success")
    expect(page.locator("#uploads")).to_contain_text("1 of 1 uploaded")
    expect(tiles).to_have_count(1)


def test_a_list_that_comes_late_brings_back_nothing_that_was_deleted(server: Server, visit: Visit) -> None:
    image_id = server.upload(jpeg(90, 60), "gone for good.jpg")
    server.upload(jpeg(90, 60), "stays.jpg")
    server.await_all_done()
    page = visit(server.url)
    lists = _hold(page, "GET", _listed)
    page.goto(f"{server.url}/#/image/{image_id}")
    page.reload()
    page.get_by_role("button", name="Delete").click()
    page.locator("#confirm").get_by_role("button", name="Delete").click()
    expect(page.locator("dialog[open]")).to_have_count(0)
    _await_one(page, lists)()
    expect(page.locator("#tiles li", has_text="stays.jpg")).to_be_visible()
    expect(page.locator("#tiles li", has_text="gone for good.jpg")).to_have_count(0)
