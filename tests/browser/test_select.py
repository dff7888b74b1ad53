"""Many at once: selected by mouse, keys and touch; deleted and tried again."""

import zipfile

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acts import PHONE, axe_faults, frames
from tests.browser.conftest import Visit
from tests.factories import jpeg
from tests.servers import Server


@pytest.fixture
def six(server: Server, visit: Visit) -> Page:
    """Open a gallery of six pictures."""
    for image in server.get("/api/images"):
        server.delete(image["image_id"])
    for number in range(6, 0, -1):
        server.upload(jpeg(60, 40), f"{number}.jpg")
    server.await_all_done()
    page = visit(server.url, tolerated="Failed to load resource")
    expect(page.locator("#tiles li")).to_have_count(6)
    return page


def _expect_selected(page: Page, names: list[str]) -> None:
    expect(page.locator("#tiles li:has(:checked) .label")).to_have_text(names)


def test_a_click_in_the_corner_and_shift_select_a_range(six: Page) -> None:
    picks = six.locator(".pick")
    picks.nth(1).click()
    picks.nth(4).click(modifiers=["Shift"])
    _expect_selected(six, ["2.jpg", "3.jpg", "4.jpg", "5.jpg"])
    expect(six.get_by_role("group", name="Selected pictures")).to_contain_text("4 pictures selected")
    assert axe_faults(six) == []
    six.locator("#tiles a").nth(2).click()  # while some are selected, a click selects
    _expect_selected(six, ["2.jpg", "4.jpg", "5.jpg"])
    six.keyboard.press("Escape")
    _expect_selected(six, [])
    expect(six.get_by_role("group", name="Selected pictures")).to_be_hidden()


def test_keys_select_and_delete(six: Page) -> None:
    six.locator("#tiles a").nth(0).focus()
    six.keyboard.press("Space")
    six.keyboard.press("Shift+ArrowRight")
    six.keyboard.press("Shift+ArrowRight")
    _expect_selected(six, ["1.jpg", "2.jpg", "3.jpg"])
    six.keyboard.press("Delete")
    expect(six.locator("#confirm h2")).to_have_text("Delete 3 pictures?")
    six.locator("#confirm").get_by_role("button", name="Delete").click()
    expect(six.locator("#tiles li")).to_have_count(3)
    expect(six.get_by_role("group", name="Selected pictures")).to_be_hidden()


def test_control_and_a_select_all(six: Page, server: Server) -> None:
    six.keyboard.press("Control+a")
    expect(six.locator("#tiles li:has(:checked)")).to_have_count(6)
    six.get_by_role("group", name="Selected pictures").get_by_role("button", name="Delete").click()
    six.locator("#confirm").get_by_role("button", name="Delete").click()
    expect(six.locator("#more")).to_contain_text("No pictures yet.")
    assert server.get("/api/images") == []


def test_what_is_gone_already_is_no_fault_and_what_fails_stays_selected(six: Page, server: Server) -> None:
    gone, kept = (server.get("/api/images")[n]["image_id"] for n in (0, 1))
    server.delete(gone)
    six.route(f"**/{kept}", lambda route: route.abort())
    six.locator(".pick").nth(0).click()
    six.locator(".pick").nth(1).click()
    six.keyboard.press("Delete")
    six.locator("#confirm").get_by_role("button", name="Delete").click()
    bar = six.get_by_role("group", name="Selected pictures")
    expect(bar.get_by_role("alert")).to_contain_text("1 picture not deleted. 2.jpg: The server cannot")
    _expect_selected(six, ["2.jpg"])


def test_a_selection_is_exported(six: Page) -> None:
    six.locator(".pick").nth(1).click()
    six.locator(".pick").nth(3).click()
    with six.expect_download() as download:
        six.get_by_label("Export").select_option("sidecar")
    assert download.value.suggested_filename == "imgpipe.zip"
    with zipfile.ZipFile(download.value.path()) as archive:
        assert len([name for name in archive.namelist() if name.endswith(".jpg")]) == 2
    _expect_selected(six, ["2.jpg", "4.jpg"])


def test_only_what_failed_is_tried_again(six: Page, server: Server) -> None:
    server.upload(jpeg(800, 600)[:9000], "cut short.jpg")
    server.await_all_done()
    six.reload()
    expect(six.locator("#tiles li")).to_have_count(7)
    six.locator(".pick").nth(1).click()
    again = six.get_by_role("group", name="Selected pictures").get_by_role("button", name="Retry")
    expect(again).to_be_disabled()
    six.keyboard.press("Control+a")
    with six.expect_response("**/retry") as retried:
        again.click()
    assert retried.value.status == 202
    expect(six.locator("#tiles [data-state=failed]")).to_have_count(1)


def test_a_long_press_selects_and_then_a_tap_does(six: Page, visit: Visit, server: Server) -> None:
    page = visit(server.url, **PHONE)
    expect(page.locator("#stats summary")).to_be_visible()  # it takes a line of its own
    tile = page.locator("#tiles a").nth(1)
    box = tile.bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}  # off the corner
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    _expect_selected(page, ["2.jpg"])
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    frames(page)
    _expect_selected(page, ["2.jpg"])
    page.locator("#tiles a").nth(3).tap()
    _expect_selected(page, ["2.jpg", "4.jpg"])
    expect(page.get_by_role("dialog")).to_have_count(0)
