"""For everyone: by keyboard, on a phone, with a screen reader, in the dark, with a key."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.acts import PHONE, axe_faults
from tests.browser.conftest import REFUSAL, Visit
from tests.factories import jpeg
from tests.imaging.pictures import with_exif
from tests.servers import Server, serving

KEY = "open-sesame"
READY = {"": "#tiles img", "#/image/": "dialog textarea", "api/docs": "h2"}


@pytest.fixture(scope="module")
def picture(server: Server) -> str:
    """Return the id of a picture that is ready."""
    image_id = server.upload(jpeg(600, 400), "for everyone.jpg")
    server.await_all_done()
    return image_id


@pytest.mark.parametrize("place", ["", "#/image/", pytest.param("api/docs", marks=pytest.mark.soak)])
def test_axe_finds_nothing(server: Server, visit: Visit, picture: str, place: str) -> None:
    page = visit(f"{server.url}/{place}{picture if 'image' in place else ''}")
    expect(page.locator(READY[place]).first).to_be_visible()
    assert axe_faults(page) == []


@pytest.mark.parametrize("place", ["", "#/image/"])
def test_nothing_is_wider_than_a_phone(server: Server, visit: Visit, picture: str, place: str) -> None:
    page = visit(f"{server.url}/{place}{picture if place else ''}", **PHONE)
    expect(page.locator(READY[place]).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    if place:
        assert page.evaluate("(d => d.scrollWidth - d.clientWidth)(document.querySelector('#picture'))") <= 0


def test_the_keyboard_alone_opens_comments_on_and_closes_a_picture(
    server: Server, visit: Visit, picture: str
) -> None:
    page = visit(server.url)
    tile = page.locator(f"[data-id='{picture}'] a")
    expect(tile).to_be_visible()
    for _ in range(60):
        page.keyboard.press("Tab")
        if tile.evaluate("one => one === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Close")).to_be_focused()
    while not page.get_by_label("Write a comment").evaluate("one => one === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.type("By keys alone")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".comments li")).to_contain_text("By keys alone")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(tile).to_be_focused()


def test_axe_finds_nothing_in_the_lesser_states(
    server: Server, visit: Visit, picture: str, tmp_path: Path
) -> None:
    page = visit(f"{server.url}/#/nothing/here", tolerated=REFUSAL)
    expect(page.get_by_role("heading", name="There is nothing at this address.")).to_be_visible()
    assert axe_faults(page) == []
    page.get_by_role("link", name="Pictures").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    assert axe_faults(page) == []
    page.keyboard.press("Escape")
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_text("no picture")
    page.set_input_files("#files", [tmp_path / "a.jpg", tmp_path / "b.jpg"])
    expect(page.locator(".faults summary")).to_contain_text("2 uploads failed: Unsupported file type.")
    assert axe_faults(page) == []
    page.click(".faults summary")
    assert axe_faults(page) == []
    page.get_by_role("button", name="Dismiss all").click()
    expect(page.locator(".faults")).to_be_hidden()
    page.locator(f"[data-id='{picture}'] a").focus()
    page.keyboard.press("Delete")
    page.keyboard.press("Delete")
    expect(page.locator("#confirm")).to_be_visible()
    assert axe_faults(page) == []


def test_a_picture_brings_no_second_banner_and_nothing_moves_where_that_is_not_wanted(
    server: Server, visit: Visit, picture: str
) -> None:
    page = visit(f"{server.url}/#/image/{picture}", reduced_motion="reduce")
    expect(page.locator("dialog textarea")).to_be_visible()
    assert page.locator("header").count() == 1
    assert page.evaluate("document.getAnimations().length") == 0


def test_uploads_and_counts_are_told_to_a_screen_reader(server: Server, visit: Visit) -> None:
    page = visit(server.url)
    assert page.locator("#uploads [role=status]").count() == 1
    assert page.locator("#more[role=status]").count() == 1


@pytest.mark.parametrize("sections", [2, pytest.param(999, marks=pytest.mark.soak)])
def test_axe_finds_nothing_in_the_documentation_on_the_page(
    server: Server, visit: Visit, sections: int
) -> None:
    page = visit(f"{server.url}/#/docs")
    expect(page.get_by_role("heading", name="GET /api/stats")).to_be_visible()
    more = f"#docs section:nth-of-type(n + {sections + 1})"  # of the same kind: axe takes seconds over all
    page.evaluate("one => document.querySelectorAll(one).forEach(section => section.remove())", more)
    assert axe_faults(page) == []


def test_the_documentation_opens_by_its_link_with_a_key_and_without(
    server: Server, locked: Server, visit: Visit
) -> None:
    for url, tolerated in ((server.url, None), (locked.url, REFUSAL)):
        page = visit(url, tolerated=tolerated) if tolerated else visit(url)
        if tolerated:
            page.locator("#key input").fill(KEY)
            page.locator("#key input").press("Enter")
            expect(page.locator("#key")).not_to_be_visible()
        page.get_by_role("link", name="API", exact=True).click()
        expect(page.get_by_role("heading", name="POST /api/images", exact=True)).to_be_visible()
        expect(page.get_by_role("link", name="API", exact=True)).to_have_attribute("aria-current", "page")
        page.locator("#docs a[href='#error-404']").first.click()
        expect(page.locator("#error-404")).to_be_in_viewport()
        with page.expect_download() as download:
            page.get_by_role("link", name="openapi.json").click()
        assert Path(download.value.path()).read_bytes().startswith(b"{")
        page.go_back()
        expect(page.locator("#gallery")).to_be_visible()


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server that wants a key, and shows places."""
    options = {"IMGPIPE_API_KEYS": KEY, "IMGPIPE_EXPOSE_GPS": "true", "WEB_CONCURRENCY": "1"}
    with serving(tmp_path_factory.mktemp("locked"), **options) as running:
        yield running


def test_the_key_is_asked_for_once_and_kept_for_the_tab(locked: Server, visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(jpeg(90, 60))
    page = visit(locked.url, tolerated=REFUSAL)
    field = page.locator("#key input")
    field.fill("wrong")
    field.press("Enter")
    expect(page.locator("#key")).to_contain_text("did not accept")
    field.fill(KEY)
    field.press("Enter")
    expect(page.locator("#key")).not_to_be_visible()
    page.set_input_files("#files", tmp_path / "secret.jpg")
    thumbnail = page.locator("#tiles li", has_text="secret.jpg").locator("img")
    expect(thumbnail).to_have_js_property("naturalWidth", 90)
    page.reload()
    expect(thumbnail).to_have_js_property("naturalWidth", 90)
    expect(page.locator("#key")).not_to_be_visible()
    page.locator("#tiles a").first.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download original").click()
    assert Path(download.value.path()).read_bytes() == (tmp_path / "secret.jpg").read_bytes()


def test_a_map_is_offered_where_the_operator_shows_places(
    locked: Server, visit: Visit, tmp_path: Path
) -> None:
    sight = {1: "N", 2: (51.0, 30.0, 36.0), 3: "W", 4: (0.0, 7.0, 30.0)}
    (tmp_path / "somewhere.jpg").write_bytes(with_exif({}, GPSInfo=sight))
    page = visit(locked.url, tolerated=REFUSAL)
    page.locator("#key input").fill(KEY)
    page.locator("#key input").press("Enter")
    page.set_input_files("#files", tmp_path / "somewhere.jpg")
    page.locator("#tiles li", has_text="somewhere.jpg").get_by_role("link").click()
    link = page.get_by_role("link", name="51.51, -0.125")
    expect(link).to_have_attribute("href", re.compile(r"\?mlat=51\.51&mlon=-0\.125#"))
    expect(link).to_have_attribute("rel", "noreferrer")
    expect(page.get_by_role("heading", name="Comments")).to_be_visible()  # nothing is under way any more
