"""The gallery: what is there, without gap, without end."""

import json

from playwright.sync_api import expect

from tests.browser.acts import names, scroll_to_the_end
from tests.browser.conftest import CROWD, REFUSAL, Visit
from tests.factories import jpeg
from tests.servers import Server

FIRST_VIEW_BYTES = 80_000
FIRST_VIEW_CALLS = 2  # a page of pictures, and the statistics


def test_thumbnails_stand_in_their_true_aspect_before_they_come(server: Server, visit: Visit) -> None:
    server.upload(jpeg(400, 200), "wide.jpg")
    server.await_all_done()
    page = visit(server.url)
    box = page.locator("li", has_text="wide.jpg").locator(".frame").bounding_box()
    assert box is not None
    assert abs(box["width"] / box["height"] - 2) < 0.02


def test_scrolling_shows_500_pictures_once_each_while_uploads_go_on(crowded: Server, visit: Visit) -> None:
    page = visit(crowded.url)
    page.wait_for_selector("#tiles li")
    for number in range(3):
        crowded.upload(jpeg(24, 16), f"late {number}.jpg")
        page.mouse.wheel(0, 3000)
        page.wait_for_timeout(50)
    page.evaluate("scrollTo(0, 0)")
    shown = [name for name in scroll_to_the_end(page) if name.startswith("crowd ")]
    assert sorted(shown) == sorted(f"crowd {number}.jpg" for number in range(CROWD))


def test_the_first_view_of_a_large_gallery_is_small(crowded: Server, visit: Visit) -> None:
    page = visit(f"{crowded.url}/api/health/status", tolerated=REFUSAL)
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
    first = next(number for number, (url, _) in enumerate(sizes) if "/thumbnails/" in url)
    calls = [url for url, _ in sizes if "/api/" in url and "/thumbnails/" not in url]
    assert sum(size for _, size in sizes[:first]) < FIRST_VIEW_BYTES
    assert len(calls) <= FIRST_VIEW_CALLS


def test_the_status_filter_shows_only_what_it_says(server: Server, visit: Visit) -> None:
    server.upload(jpeg(60, 40), "fine.jpg")
    server.await_all_done()
    page = visit(server.url)
    page.select_option("select[name=status]", "failed")
    page.wait_for_url("**/#/?status=failed")
    expect(page.locator("#tiles li[data-state=success]")).to_have_count(0)
    page.select_option("select[name=status]", "success")
    expect(page.get_by_text("fine.jpg")).to_be_visible()


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


def test_the_statistics_count_the_pictures(crowded: Server, visit: Visit) -> None:
    total = crowded.get("/api/stats")["total"]
    page = visit(crowded.url)
    expect(page.locator("#stats summary")).to_have_text(f"{total:,} pictures")
    page.click("#stats summary")
    expect(page.locator("#stats div", has_text="Ready").first.locator("dd")).to_have_text(
        f"{total:,} (100 %)"
    )
    expect(page.locator("#stats")).to_contain_text("Average work on a picture that is ready, without waiting")


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
