"""The gallery: what is there, without gap, without end, in few elements."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.acts import PATIENCE_S, PHONE, axe_faults, frames, names, scroll_to_the_end, until
from tests.browser.conftest import CROWD, FAILED, REFUSAL, Visit
from tests.factories import jpeg, jpeg_with_exif
from tests.servers import Server

FIRST_VIEW_BYTES = 80_000
FIRST_VIEW_CALLS = 2  # a page of pictures, and the statistics
MOST_ELEMENTS = 1_500


def test_thumbnails_stand_in_their_true_aspect_before_they_come(server: Server, visit: Visit) -> None:
    server.upload(jpeg(400, 200), "wide.jpg")
    server.await_all_done()
    page = visit(server.url)
    box = page.locator("li", has_text="wide.jpg").locator(".frame").bounding_box()
    assert box is not None
    assert abs(box["width"] / box["height"] - 2) < 0.02


def test_scrolling_shows_each_picture_once_while_uploads_go_on(crowded: Server, visit: Visit) -> None:
    page = visit(f"{crowded.url}/#/?status=failed")
    page.wait_for_selector("#tiles li")
    for number in range(3):
        crowded.upload(jpeg(24, 16), f"late {number}.jpg")
        page.evaluate("scrollBy(0, 3000)")  # at once; a wheel's last pixels come when they like
        frames(page)
    page.evaluate("scrollTo(0, 0)")
    frames(page)
    shown = [name for name in scroll_to_the_end(page) if name.startswith("failed ")]
    assert sorted(shown) == sorted(f"failed {number}.jpg" for number in range(FAILED))
    expect(page.locator("#more")).to_have_text(f"{FAILED} pictures")


def _fling(page: Page, pictures: int) -> int:
    """Scroll on until so many pictures are loaded; returns the most elements that the page had at a time."""
    most = 0

    def enough() -> bool:
        nonlocal most
        page.evaluate("scrollBy(0, 20_000)")
        frames(page)
        most = max(most, int(page.evaluate("document.querySelectorAll('*').length")))
        return int(re.sub(r"\D", "", page.inner_text("#more")) or 0) >= pictures

    until(page, enough, patience_s=max(PATIENCE_S, pictures / 100))
    return most


def test_thousands_of_pictures_scroll_by_in_few_elements(crowded: Server, visit: Visit) -> None:
    page = visit(crowded.url)
    expect(page.locator("#tiles img").first).to_be_visible()
    assert _fling(page, 1_500) < MOST_ELEMENTS
    expect(page.locator("#tiles img").last).to_have_js_property("naturalWidth", 24)
    page.evaluate("scrollTo(0, 0)")
    expect(page.locator("#tiles li").first).to_be_in_viewport()


def _tasks(trace: bytes) -> list[tuple[float, float]]:
    """List what the page's main thread did at a stretch: ms of processor time, ms by the clock."""
    events = json.loads(trace)["traceEvents"]
    named = (event for event in events if event["name"] == "thread_name")
    main = {(one["pid"], one["tid"]) for one in named if one["args"]["name"] == "CrRendererMain"}
    tasks = (event for event in events if event["name"] == "RunTask" and event["ph"] == "X")
    return [
        (task.get("tdur", 0) / 1000, task["dur"] / 1000)
        for task in tasks
        if (task["pid"], task["tid"]) in main
    ]


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_fifty_thousand_pictures_scroll_by_without_a_long_task(
    browser: Browser, crowded: Server, visit: Visit
) -> None:
    page = visit(crowded.url)
    expect(page.locator("#tiles img").first).to_be_visible()
    browser.start_tracing(page=page, categories=["disabled-by-default-devtools.timeline"], screenshots=False)
    most = _fling(page, CROWD)
    tasks = _tasks(browser.stop_tracing())
    longest, clock = (max(column) for column in zip(*tasks, strict=True))
    print(f"{most} elements; the longest task {longest:.0f} ms of the processor, {clock:.0f} by the clock")
    assert most < MOST_ELEMENTS
    assert longest <= 100  # the clock counts what else the machine does


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desk", "phone"])
def test_the_first_view_of_a_large_gallery_is_small(
    crowded: Server, visit: Visit, device: dict[str, Any]
) -> None:
    page = visit(f"{crowded.url}/api/health/status", tolerated=REFUSAL, anew=True, **device)
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: list[tuple[str, float]] = []
    addresses: dict[str, str] = {}
    session.on("Network.requestWillBeSent", lambda e: addresses.update({e["requestId"]: e["request"]["url"]}))
    session.on(
        "Network.loadingFinished",
        lambda e: sizes.append((addresses.get(e["requestId"], ""), e["encodedDataLength"])),
    )
    page.goto(crowded.url)
    expect(page.locator("#tiles img").first).to_have_js_property("naturalWidth", 24)
    page.wait_for_load_state("networkidle")
    calls = [url for url, _ in sizes if "/api/" in url and "/thumbnails/" not in url]
    assert sum(size for url, size in sizes if "/thumbnails/" not in url) < FIRST_VIEW_BYTES
    assert len(calls) <= FIRST_VIEW_CALLS


def test_a_tile_has_its_colour_before_its_pixels(server: Server, visit: Visit) -> None:
    image_id = server.upload(jpeg(300, 200), "colourful.jpg")
    server.await_all_done()
    color = server.get(f"/api/images/{image_id}")["color"]
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    page = visit(server.url)
    held: list[Route] = []
    page.route("**/thumbnails/**", lambda route: held.append(route))
    page.reload()
    frame = page.locator(f"[data-id='{image_id}'] .frame")
    expect(frame).to_have_css("background-color", f"rgb({red}, {green}, {blue})")
    until(page, lambda: bool(held))
    for route in held:
        route.continue_()
    expect(frame.locator("img")).to_have_js_property("naturalWidth", 300)
    expect(frame).not_to_have_attribute("style", re.compile("background"))


def test_dates_stand_as_headings_taken_before_uploaded(server: Server, visit: Visit) -> None:
    server.upload(jpeg_with_exif(), "from the camera.jpg")
    server.upload(jpeg(300, 200), "from nowhere.jpg")
    server.await_all_done()
    page = visit(server.url)
    expect(page.locator("li", has_text="from nowhere.jpg").get_by_role("heading")).to_have_text("Today")
    taken = page.locator("li", has_text="from the camera.jpg").get_by_role("heading")
    expect(taken).to_have_text("13 July 2004")


def test_the_status_filter_shows_only_what_it_says(server: Server, visit: Visit) -> None:
    server.upload(jpeg(60, 40), "fine.jpg")
    server.await_all_done()
    page = visit(server.url)
    page.select_option("select[name=status]", "failed")
    page.wait_for_url("**/#/?status=failed")
    expect(page.locator("#tiles li[data-state=success]")).to_have_count(0)
    page.select_option("select[name=status]", "success")
    expect(page.get_by_text("fine.jpg")).to_be_visible()


def test_a_first_look_that_does_not_fill_the_window_goes_on_by_itself(server: Server, visit: Visit) -> None:
    server.upload_all(jpeg(40, 80), 20)  # many in a row
    server.await_all_done()
    page = visit(server.url, **PHONE)
    expect(page.locator("#tiles li").nth(19)).to_be_attached()
    expect(page.locator("#more")).not_to_contain_text("more below")


def test_search_finds_a_picture_by_its_name(server: Server, visit: Visit) -> None:
    server.upload(jpeg(60, 40), "lighthouse.jpg")
    server.upload(jpeg(60, 40), "meadow.jpg")
    server.await_all_done()
    page = visit(server.url)
    page.fill("input[name=q]", "lightho")
    expect(page.locator("#tiles li")).to_have_count(1)
    assert names(page) == ["lighthouse.jpg"]


def test_a_link_to_a_search_opens_it(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/#/?q=nothing-is-called-this")
    expect(page.locator("#more")).to_have_text("Nothing found.")
    expect(page.locator("input[name=q]")).to_have_value("nothing-is-called-this")
    assert axe_faults(page) == []


def test_the_statistics_are_one_line_and_say_what_the_average_is_of(crowded: Server, visit: Visit) -> None:
    stats = crowded.get("/api/stats")
    page = visit(crowded.url)
    expect(page.locator("#stats summary")).to_have_text(f"{stats['total']:,} pictures, {FAILED} failed")
    page.click("#stats summary")
    told = f"{stats['success']:,} ready ({stats['success_rate']:g} %). One took "
    expect(page.locator("#stats p")).to_contain_text(told)
    expect(page.locator("#stats p")).to_contain_text("of work on average, without waiting")
    assert axe_faults(page) == []


def test_a_page_that_cannot_be_loaded_offers_to_try_again(server: Server, visit: Visit) -> None:
    page = visit(server.url, tolerated=REFUSAL)
    page.wait_for_selector("#more")
    answer = {"status": 503, "content_type": "application/json", "body": json.dumps({"error": "Come back."})}
    page.route("**/api/images?*", lambda route: route.fulfill(**answer))
    page.reload()
    expect(page.locator("#more")).to_contain_text("Come back.")
    page.unroute("**/api/images?*")
    page.click("#more button")
    expect(page.locator("#more")).to_contain_text("picture")


def test_arrows_go_from_tile_to_tile_and_tab_leaves_them(server: Server, visit: Visit) -> None:
    server.upload_all(jpeg(60, 40), 3)
    server.await_all_done()
    page = visit(server.url)
    tiles = page.locator("#tiles li")
    expect(tiles.nth(2)).to_be_visible()
    expect(page.locator("#tiles a[tabindex='0']")).to_have_count(1)
    tiles.nth(0).locator("a").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(tiles.nth(2).locator("a")).to_be_focused()
    assert tiles.nth(2).locator("a").evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
    page.keyboard.press("Home")
    expect(tiles.nth(0).locator("a")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#tiles :focus")).to_have_count(0)


def test_the_keyboard_walks_down_a_crowd_and_keeps_its_place(crowded: Server, visit: Visit) -> None:
    page = visit(crowded.url)
    page.locator("#tiles a").first.focus()
    for _ in range(30):
        page.keyboard.press("ArrowDown")
        frames(page)
    expect(page.locator("#tiles a:focus")).to_be_in_viewport()
    focused = page.locator("#tiles li:focus-within").get_attribute("data-id")
    page.mouse.wheel(0, 9000)
    until(page, lambda: page.evaluate("scrollY") > 9000)
    frames(page)
    assert page.locator("#tiles li:focus-within").get_attribute("data-id") == focused
