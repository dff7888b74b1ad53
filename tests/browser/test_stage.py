"""A picture over the whole window: zoomed, moved, and turned to the next, by every hand."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acts import PHONE, touch, until
from tests.browser.conftest import Visit
from tests.factories import jpeg, transparent_png
from tests.servers import Server

NAMES = ("first.jpg", "second.jpg", "third.jpg")


@pytest.fixture(scope="module")
def pictures(server: Server) -> list[str]:
    """Store three large pictures; returns their ids, as the gallery has them: newest first."""
    ids = [server.upload(jpeg(2000, 1500), name) for name in reversed(NAMES)]
    server.await_all_done()
    return ids[::-1]


@pytest.fixture
def stage(server: Server, visit: Visit, pictures: list[str]) -> Callable[..., Page]:
    """Return a function that opens one of the three, the second unless told."""

    def open_stage(number: int = 1, **options: Any) -> Page:
        page = visit(f"{server.url}/#/image/{pictures[number]}", **options)
        expect(page.locator(".sheet img").last).to_have_js_property("naturalWidth", 2000)
        return page

    return open_stage


def _zoom(page: Page) -> int:
    return int(page.inner_text(".head output").removesuffix(" %"))


def _title(page: Page, name: str) -> None:
    expect(page.locator("#picture h2")).to_have_text(name)
    expect(page).to_have_title(f"{name} · imgpipe")


def test_the_picture_fills_the_window_and_the_medium_makes_way_for_the_original(
    stage: Callable[..., Page],
) -> None:
    page = stage()
    box = page.locator(".sheet").bounding_box()
    assert box is not None
    assert box["width"] > 800
    expect(page.locator(".sheet img").first).to_be_hidden()
    assert page.evaluate("document.querySelector('#picture').getBoundingClientRect().width") == 1280


def test_keys_zoom_to_pixels_and_back(stage: Callable[..., Page]) -> None:
    page = stage()
    whole = _zoom(page)
    page.keyboard.press("+")
    assert _zoom(page) > whole
    page.keyboard.press("1")
    assert _zoom(page) == 100
    page.keyboard.press("-")
    assert _zoom(page) < 100
    page.keyboard.press("0")
    assert _zoom(page) == whole
    page.keyboard.press("-")
    assert _zoom(page) == whole


def test_the_wheel_zooms_about_the_pointer(stage: Callable[..., Page]) -> None:
    page = stage()
    sheet = page.locator(".sheet")
    before = sheet.bounding_box()
    assert before is not None
    x, y = before["x"] + 200, before["y"] + 150
    page.mouse.move(x, y)
    page.mouse.wheel(0, -300)
    expect(page.locator(".stage.zoomed")).to_be_visible()
    after = sheet.bounding_box()
    assert after is not None
    assert after["width"] > before["width"] * 1.5
    assert (x - after["x"]) / after["width"] == pytest.approx(200 / before["width"], abs=0.01)
    assert (y - after["y"]) / after["height"] == pytest.approx(150 / before["height"], abs=0.01)


def test_a_double_click_shows_pixels_which_a_drag_moves(stage: Callable[..., Page]) -> None:
    page = stage()
    page.mouse.dblclick(400, 400)
    assert _zoom(page) == 100
    before = page.locator(".sheet").bounding_box()
    page.mouse.down()
    page.mouse.move(360, 380, steps=4)
    page.mouse.up()
    after = page.locator(".sheet").bounding_box()
    assert before is not None
    assert after is not None
    assert (after["x"] - before["x"], after["y"] - before["y"]) == pytest.approx((-40, -20), abs=1)
    page.mouse.dblclick(400, 400)
    assert _zoom(page) < 60


def test_a_png_keeps_its_chequered_ground(server: Server, visit: Visit) -> None:
    image_id = server.upload(transparent_png(), "see through.png")
    server.await_all_done()
    page = visit(f"{server.url}/#/image/{image_id}")
    ground = "getComputedStyle(document.querySelector('.sheet')).backgroundImage"
    expect(page.locator(".sheet img")).to_have_js_property("naturalWidth", 300)
    assert "conic-gradient" in page.evaluate(ground)


def test_arrows_turn_in_the_order_of_the_gallery_and_back_leads_out(
    stage: Callable[..., Page], server: Server, visit: Visit
) -> None:
    page = visit(server.url)
    page.get_by_text("first.jpg", exact=True).click()
    _title(page, "first.jpg")
    page.keyboard.press("ArrowRight")
    _title(page, "second.jpg")
    page.get_by_role("button", name="Next picture").click()
    _title(page, "third.jpg")
    page.keyboard.press("ArrowLeft")
    _title(page, "second.jpg")
    page.reload()
    _title(page, "second.jpg")
    page.go_back()
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page).to_have_title("Pictures · imgpipe")
    page.go_forward()
    _title(page, "second.jpg")


def test_closing_puts_the_keyboard_on_the_picture_last_shown(stage: Callable[..., Page]) -> None:
    page = stage()
    page.keyboard.press("ArrowRight")
    _title(page, NAMES[2])
    page.keyboard.press("Escape")
    expect(page.locator("#tiles a:focus")).to_contain_text(NAMES[2])


def test_turning_stays_under_the_filter_also_after_a_reload(
    server: Server, visit: Visit, pictures: list[str]
) -> None:
    page = visit(f"{server.url}/#/?q=second")
    page.get_by_text("second.jpg").click()
    page.reload()
    _title(page, "second.jpg")
    expect(page.get_by_role("button", name="Next picture")).to_be_hidden()
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#tiles li")).to_have_count(1)


def test_the_neighbours_are_fetched_ahead(stage: Callable[..., Page], pictures: list[str]) -> None:
    asked: list[str] = []
    page = stage(record=asked.append)
    for neighbour in (pictures[0], pictures[2]):
        until(page, lambda wanted=f"{neighbour}/thumbnails/medium": any(wanted in url for url in asked))  # type: ignore[misc]


def test_facts_fold_away_and_stay_so(stage: Callable[..., Page]) -> None:
    page = stage(anew=True)
    expect(page.locator("#side")).to_contain_text("2,000 × 1,500 px")
    page.keyboard.press("i")
    expect(page.locator("#side")).to_be_hidden()
    page.reload()
    expect(page.locator(".sheet img").last).to_have_js_property("naturalWidth", 2000)
    expect(page.locator("#side")).to_be_hidden()
    page.get_by_role("button", name="Facts").click()
    expect(page.locator("#side")).to_be_visible()


def test_a_swipe_turns_and_a_pinch_zooms(stage: Callable[..., Page]) -> None:
    page = stage(**PHONE)
    touch(page, [(300, 300)], [(250, 300)], [(180, 302)], [(120, 302)])
    _title(page, NAMES[2])
    touch(page, [(100, 300)], [(150, 300)], [(220, 302)], [(280, 302)])
    _title(page, NAMES[1])
    whole = _zoom(page)
    touch(page, [(180, 300), (200, 300)], [(150, 300), (230, 300)], [(100, 300), (280, 300)])
    assert _zoom(page) > 2 * whole
    before = page.locator(".sheet").bounding_box()
    touch(page, [(200, 300)], [(180, 300)], [(150, 300)])  # zoomed in, a finger moves the picture
    after = page.locator(".sheet").bounding_box()
    assert before is not None
    assert after is not None
    assert after["x"] < before["x"] - 20
    _title(page, NAMES[1])
