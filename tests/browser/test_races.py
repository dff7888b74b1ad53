"""What comes late, twice, from another tab, or not at all."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests
from playwright.sync_api import Page, Route, expect

from tests.browser.acts import comment, drop, frames, until
from tests.browser.conftest import REFUSAL, Visit
from tests.factories import jpeg
from tests.servers import Server

LOST = "Failed to load resource"


@pytest.fixture
def twins(server: Server) -> list[str]:
    """Store two pictures that look alike; returns their ids, the newest first."""
    for image in server.get("/api/images"):
        server.delete(image["image_id"])
    ids = [server.upload(jpeg(120, 80), name) for name in ("older.jpg", "newer.jpg")]
    server.await_all_done()
    return ids[::-1]


@contextmanager
def held(page: Page, address: str | re.Pattern[str], method: str = "GET") -> Iterator[Callable[[], None]]:
    """Keep such requests back; yields what waits for the first of them, and let all go on at the end."""
    routes: list[Route] = []

    def keep(route: Route) -> None:
        if route.request.method == method:
            routes.append(route)
        else:
            route.fallback()

    page.route(address, keep)
    yield lambda: until(page, lambda: bool(routes))
    for route in routes:
        route.continue_()
    page.unroute(address)


def test_closing_leads_to_the_gallery_whatever_was_looked_at_meanwhile(
    server: Server, visit: Visit, twins: list[str]
) -> None:
    page = visit(server.url)
    page.locator("#tiles a").first.click()
    page.locator(".alike a").click()
    expect(page.locator("#picture h2")).to_have_text("older.jpg")
    page.reload()
    expect(page.locator("#picture h2")).to_have_text("older.jpg")
    page.get_by_role("button", name="Close").click()
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page).not_to_have_url(re.compile("image"))
    page.go_forward()
    expect(page.locator("#picture h2")).to_have_text("newer.jpg")
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page).not_to_have_url(re.compile("image"))


def test_who_types_and_opens_a_picture_at_once_stays_at_the_picture(
    server: Server, visit: Visit, twins: list[str]
) -> None:
    page = visit(server.url)
    expect(page.locator("#tiles img").first).to_be_visible()
    page.clock.install()
    with held(page, "**/picture.js") as asked:
        page.evaluate("""() => {
          const field = document.querySelector("[name=q]");
          field.value = "older";
          field.dispatchEvent(new Event("input", {bubbles: true}));
          location.hash = document.querySelector("#tiles a").hash;
        }""")
        asked()
        page.clock.run_for(1000)
        frames(page)
    expect(page.locator("#picture h2")).to_have_text("newer.jpg")
    page.clock.run_for(1000)
    frames(page)
    assert page.url.endswith(f"/#/image/{twins[0]}")


def test_who_goes_on_while_a_picture_is_being_deleted_is_left_in_peace(
    server: Server, visit: Visit, twins: list[str]
) -> None:
    page = visit(f"{server.url}/#/image/{twins[0]}", tolerated=REFUSAL)
    expect(page.get_by_role("button", name="Next picture")).to_be_visible()
    expect(page.locator("#side .danger")).to_be_visible()
    with held(page, f"**/api/images/{twins[0]}", "DELETE") as asked:
        page.keyboard.press("Delete")
        page.locator("#confirm").get_by_role("button", name="Delete").click()
        asked()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#picture h2")).to_have_text("older.jpg")
    expect(page.locator("#tiles li")).to_have_count(1)
    frames(page)
    expect(page.locator("dialog[open] h2")).to_have_text("older.jpg")


def test_what_another_tab_deleted_says_so_and_leaves_the_gallery(
    server: Server, visit: Visit, twins: list[str]
) -> None:
    page = visit(server.url, tolerated=REFUSAL)
    expect(page.locator("#tiles li")).to_have_count(2)
    server.delete(twins[0])
    page.locator("#tiles a").first.click()
    expect(page.locator("#side").get_by_role("alert")).to_have_text("Image not found")
    expect(page.get_by_role("button", name="Next picture")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#tiles .label")).to_have_text(["older.jpg"])


def test_a_comment_that_another_tab_deleted_goes(server: Server, visit: Visit, twins: list[str]) -> None:
    comment(server, twins[0], "fleeting")
    path = f"{server.url}/api/images/{twins[0]}/comments"
    page = visit(f"{server.url}/#/image/{twins[0]}", tolerated=REFUSAL)
    expect(page.locator(".comments li")).to_have_count(1)
    (there,) = requests.get(path, timeout=60).json()["data"]
    requests.delete(f"{path}/{there['comment_id']}", timeout=60).raise_for_status()
    page.get_by_role("button", name="Delete the comment").click()
    page.locator("#confirm").get_by_role("button", name="Delete").click()
    expect(page.locator(".comments li")).to_have_count(0)


def test_a_comment_that_is_half_written_outlives_escape(
    server: Server, visit: Visit, twins: list[str]
) -> None:
    page = visit(f"{server.url}/#/image/{twins[0]}")
    field = page.get_by_label("Write a comment")
    field.fill("half a sen")
    page.keyboard.press("Escape")
    expect(field).to_have_value("half a sen")
    expect(field).not_to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_enter_in_the_search_does_not_load_the_page_anew(
    server: Server, visit: Visit, twins: list[str]
) -> None:
    page = visit(server.url)
    page.evaluate("document.body.dataset.mark = 'kept'")
    page.get_by_label("Search captions and names").fill("older")
    page.keyboard.press("Enter")
    expect(page.locator("#tiles .label")).to_have_text(["older.jpg"])
    expect(page.locator("body")).to_have_attribute("data-mark", "kept")


@pytest.fixture
def logs(server: Server) -> str:
    """Store three depth logs; returns the address of their list."""
    for name in ("one", "two", "three"):
        lines = "\n".join(f"{row},{row % 256}" for row in range(2000))
        files = {"file": ("a.csv", f"depth,a\n{lines}\n".encode())}
        answer = requests.post(f"{server.url}/api/frames", files=files, data={"log": name}, timeout=60)
        assert answer.ok, answer.text
    return f"{server.url}/#/logs"


def test_the_log_beside_is_the_one_asked_for_last(visit: Visit, logs: str) -> None:
    page = visit(f"{logs}/one")
    with held(page, "**/logs/two") as asked:
        page.get_by_label("Beside it").select_option("two")
        asked()
        page.get_by_label("Beside it").select_option("three")
        expect(page.locator(".heads b")).to_have_text(["one", "three"])
    page.wait_for_load_state("networkidle")
    expect(page.locator(".heads b")).to_have_text(["one", "three"])


def test_a_piece_of_a_log_that_did_not_come_is_asked_for_again(visit: Visit, logs: str) -> None:
    page = visit(f"{logs}/one", tolerated=LOST)
    expect(page.get_by_role("slider")).to_have_attribute("aria-busy", "false")
    failed: list[str] = []

    def fail(route: Route) -> None:
        failed.append(route.request.url)
        route.abort()

    page.route("**/api/frames?*", fail)
    page.get_by_label("Contrast").select_option("linear")
    until(page, lambda: bool(failed))
    expect(page.locator(".under output")).to_have_text("The server cannot be reached.")
    page.unroute("**/api/frames?*")
    expect(page.get_by_role("slider")).to_have_attribute("aria-busy", "false")


def test_a_log_that_cannot_be_deleted_says_so_and_one_that_is_gone_does_not(
    server: Server, visit: Visit, logs: str
) -> None:
    page = visit(logs, tolerated=LOST)
    page.route("**/logs/two", lambda route: route.abort())
    page.get_by_role("button", name="Delete two").click()
    page.locator("#confirm").get_by_role("button", name="Delete").click()
    expect(page.locator(".logs").get_by_role("alert")).to_have_text("The server cannot be reached.")
    page.unroute("**/logs/two")
    requests.delete(f"{server.url}/api/frames/logs/two", timeout=60).raise_for_status()
    page.get_by_role("button", name="Delete two").click()
    page.locator("#confirm").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("link", name="two")).to_have_count(0)


def test_an_upload_goes_on_while_its_visitor_reads_elsewhere(
    server: Server, visit: Visit, twins: list[str]
) -> None:
    page = visit(server.url)
    with held(page, "**/api/images", "POST") as asked:
        drop(page, {"patient.jpg": jpeg(90, 60)})
        asked()
        page.get_by_role("link", name="Depth logs").click()
        expect(page.get_by_role("heading", name="Depth logs")).to_be_visible()
    page.get_by_role("link", name="Pictures").click()
    expect(page.locator("#tiles li", has_text="patient.jpg")).to_have_attribute("data-state", "success")
