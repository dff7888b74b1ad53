"""Uploads: by the input, by drop; progress, refusals, and trying again."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Route, expect

from tests.browser.acts import drop
from tests.browser.conftest import REFUSAL, Visit
from tests.factories import jpeg
from tests.servers import Server

Photos = Callable[..., list[Path]]


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
    page.wait_for_timeout(200)
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
    expect(row.get_by_role("button", name="Retry")).to_have_count(0)  # it would not help
    row.get_by_label("Dismiss").click()
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
    row.get_by_role("button", name="Retry").click()
    expect(page.locator("#tiles li", has_text="again.jpg")).to_have_attribute("data-state", "success")


def test_what_is_uploaded_twice_stands_there_twice(server: Server, visit: Visit, photos: Photos) -> None:
    page = visit(server.url)
    page.set_input_files("#files", photos("twin.jpg") * 2)
    expect(page.locator("#tiles li", has_text="twin.jpg")).to_have_count(2)
