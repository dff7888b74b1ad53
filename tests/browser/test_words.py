"""Words that people write: captions, labels, comments; kept, never overwritten unawares."""

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.acts import axe_faults, comment
from tests.browser.conftest import REFUSAL, Visit
from tests.factories import jpeg
from tests.servers import Server

HOSTILE = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def image_id(server: Server) -> str:
    """Store a picture and return its id."""
    image_id = server.upload(jpeg(90, 60), "wordless.jpg")
    server.await_all_done()
    return image_id


@pytest.fixture
def page(server: Server, visit: Visit, image_id: str) -> Page:
    """Open the picture."""
    page = visit(f"{server.url}/#/image/{image_id}", tolerated=REFUSAL)
    expect(page.get_by_role("heading", name="Comments")).to_be_visible()
    return page


def _edit(server: Server, image_id: str, **changes: object) -> None:
    answer = requests.patch(f"{server.url}/api/images/{image_id}", json=changes, timeout=10)
    assert answer.status_code == 200, answer.text


def _write(page: Page, text: str) -> None:
    page.keyboard.press("e")
    page.get_by_label("Caption", exact=True).fill(text)
    page.keyboard.press("Control+Enter")


def test_a_caption_is_written_in_place_and_seen_in_the_gallery(
    page: Page, server: Server, image_id: str
) -> None:
    _write(page, HOSTILE)
    expect(page.locator("#side .caption")).to_have_text(HOSTILE)
    expect(page.locator("#side")).to_contain_text("Captioned bya person")
    assert axe_faults(page) == []
    assert server.get(f"/api/images/{image_id}")["caption_source"]["provider"] == "human"
    page.get_by_role("button", name="Close").click()
    expect(page.locator(f"[data-id='{image_id}'] .label")).to_have_text(HOSTILE)


def test_escape_leaves_the_caption_as_it_is_and_the_picture_open(page: Page) -> None:
    page.keyboard.press("e")
    page.get_by_label("Caption", exact=True).fill("never mind")
    assert axe_faults(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#side")).to_contain_text("No caption yet.")
    expect(page.get_by_role("button", name="Write a caption")).to_be_focused()


def test_an_emptied_caption_is_gone(page: Page, server: Server, image_id: str) -> None:
    _write(page, "for a while")
    expect(page.locator("#side .caption")).to_be_visible()
    _write(page, "  ")
    expect(page.locator("#side")).to_contain_text("No caption yet.")
    assert server.get(f"/api/images/{image_id}")["caption"] is None


def test_two_who_write_at_once_hear_of_each_other(page: Page, server: Server, image_id: str) -> None:
    _edit(server, image_id, caption="theirs")
    _write(page, "mine")
    alert = page.locator("#side").get_by_role("alert")
    expect(alert).to_contain_text("Somebody changed this picture meanwhile. The caption is now: theirs")
    assert server.get(f"/api/images/{image_id}")["caption"] == "theirs"
    page.get_by_role("button", name="Save mine").click()
    expect(page.locator("#side .caption")).to_have_text("mine")


def test_labels_are_added_removed_and_never_lost_to_another(
    page: Page, server: Server, image_id: str
) -> None:
    _edit(server, image_id, labels=["theirs"])
    page.keyboard.press("l")
    page.keyboard.type(f"harbour, {HOSTILE}")
    page.keyboard.press("Enter")
    chips = page.locator(".chip a")
    expect(chips).to_have_text(["theirs", "harbour", HOSTILE])
    assert axe_faults(page) == []
    page.get_by_role("button", name="Remove the label harbour").click()
    expect(chips).to_have_text(["theirs", HOSTILE])
    assert server.get(f"/api/images/{image_id}")["labels"] == ["theirs", HOSTILE]


def test_a_label_leads_to_its_pictures(page: Page, server: Server, image_id: str) -> None:
    _edit(server, image_id, labels=["the only one"])
    page.reload()
    page.get_by_role("link", name="the only one").click()
    expect(page.locator("#tiles li")).to_have_count(1)
    field = page.get_by_label("Label", exact=True)
    expect(field).to_have_value("the only one")
    field.fill("")
    expect(page).not_to_have_url("label")
    field.focus()
    expect(page.locator("#labels option[value='the only one']")).to_be_attached()


def test_a_comment_is_sent_by_keys_and_deleted_after_a_question(page: Page) -> None:
    page.keyboard.press("c")
    page.keyboard.type(HOSTILE)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".comments li p")).to_have_text(HOSTILE)
    expect(page.locator(".comments li time")).to_have_text("just now")
    page.get_by_role("button", name="Delete the comment").click()
    page.locator("#confirm").get_by_role("button", name="Delete").click()
    expect(page.locator(".comments li p")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("heading", name="Comments")).to_be_visible()
    expect(page.locator(".comments li p")).to_have_count(0)


def test_times_are_told_as_people_tell_them(server: Server, visit: Visit, image_id: str) -> None:
    comment(server, image_id, "timely")
    page = visit(server.url, anew=True)
    page.clock.install()
    page.goto(f"{server.url}/#/image/{image_id}")
    page.reload()
    time = page.locator(".comments li time")
    expect(time).to_have_text("just now")
    page.clock.fast_forward("05:00")
    expect(time).to_have_text("5 minutes ago")
    assert str(page.evaluate("new Date().getFullYear()")) in (time.get_attribute("title") or "")


def test_what_looks_alike_is_shown_and_leads_there(server: Server, visit: Visit, image_id: str) -> None:
    twin = server.upload(jpeg(90, 60), "twin.jpg")
    server.await_all_done()
    page = visit(f"{server.url}/#/image/{twin}")
    page.locator(f".alike a[href='#/image/{image_id}']").click()
    expect(page.locator("#picture h2")).to_have_text("wordless.jpg")


def test_many_are_labelled_at_once(server: Server, visit: Visit, image_id: str) -> None:
    page = visit(server.url)
    page.locator(".pick").nth(0).click()
    page.get_by_role("group", name="Selected pictures").get_by_label("Add label").fill("together")
    page.keyboard.press("Enter")
    expect(page.get_by_role("group", name="Selected pictures")).to_be_hidden()
    assert server.get(f"/api/images/{image_id}")["labels"] == ["together"]
