"""Captions: shown when they come, explained when they do not, and never in the way of the picture."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Request, expect

from tests.browser.acts import drop
from tests.browser.conftest import REFUSAL, Visit, asking
from tests.captions.provider import SENTENCE, Provider
from tests.factories import jpeg
from tests.servers import Server, serving

HOSTILE = "<img src=x onerror=alert(1)> by the sea"


@pytest.fixture(scope="module")
def captioning(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server that asks the provider."""
    options = asking(provider) | {"IMGPIPE_CAPTION_TIMEOUT_S": "50"}
    with serving(tmp_path_factory.mktemp("captioning"), **options) as running:
        yield running


@pytest.fixture(autouse=True)
def _well_again(provider: Provider) -> None:
    provider.fault, provider.sentence = "", SENTENCE


def test_a_caption_is_read_and_found(captioning: Server, visit: Visit) -> None:
    image_id = captioning.upload(jpeg(200, 150), "dog.jpg")
    captioning.upload(jpeg(150, 150), "other.jpg")
    captioning.await_all_done()
    page = visit(f"{captioning.url}/#/image/{image_id}")
    expect(page.locator("dialog .caption")).to_have_text(SENTENCE)
    page.get_by_role("button", name="Close").click()
    expect(page.locator(f"[data-id='{image_id}'] .label")).to_have_text(SENTENCE)
    page.fill("input[name=q]", "walking")
    expect(page.locator("#more")).to_have_text("Nothing found.")  # so that what comes now was looked for
    page.fill("input[name=q]", "playing gra")
    expect(page.locator(f"[data-id='{image_id}'] .label")).to_have_text(SENTENCE)


def test_the_thumbnail_does_not_wait_for_the_caption(
    captioning: Server, visit: Visit, provider: Provider
) -> None:
    provider.fault = "dawdle"
    page = visit(captioning.url)
    page.wait_for_selector("#stats summary")
    drop(page, {"patient.jpg": jpeg(210, 140)})
    named = page.locator("#tiles li", has_text="patient.jpg")
    expect(named).to_have_attribute("data-state", "captioning")
    tile = page.locator(f"[data-id='{named.get_attribute('data-id')}']")
    expect(tile.locator("img")).to_have_js_property("naturalWidth", 210)
    provider.fault = ""
    expect(tile).to_have_attribute("data-state", "success")
    expect(tile.locator(".label")).to_have_text(SENTENCE)


def test_what_is_deleted_elsewhere_leaves_gallery_and_selection(
    captioning: Server, visit: Visit, provider: Provider
) -> None:
    provider.fault = "dawdle"
    page = visit(captioning.url, tolerated=REFUSAL)
    drop(page, {"fleeting.jpg": jpeg(190, 140)})
    tile = page.locator("#tiles li", has_text="fleeting.jpg")
    expect(tile).to_have_attribute("data-state", "captioning")
    tile.locator(".pick").click()
    bar = page.get_by_role("group", name="Selected pictures")
    expect(bar).to_contain_text("1 picture selected")
    captioning.delete(str(tile.get_attribute("data-id")))
    expect(tile).to_have_count(0)
    expect(bar).to_be_hidden()


def test_a_label_that_is_being_typed_outlives_the_caption_that_comes(
    captioning: Server, visit: Visit, provider: Provider
) -> None:
    provider.fault = "dawdle"
    image_id = captioning.upload(jpeg(195, 140), "talked over.jpg")
    page = visit(f"{captioning.url}/#/image/{image_id}")
    field = page.get_by_label("Add label")
    expect(page.locator("#side")).to_contain_text("A caption is being written…")
    field.press_sequentially("har")
    provider.fault = ""
    expect(page.locator("#side .caption")).to_have_text(SENTENCE)
    expect(field).to_be_focused()
    page.keyboard.type("bour")
    page.keyboard.press("Enter")
    expect(page.locator(".chip a")).to_have_text(["harbour"])


def test_waiting_takes_two_connections_at_most(captioning: Server, visit: Visit, provider: Provider) -> None:
    provider.fault = "dawdle"
    page = visit(captioning.url)
    page.wait_for_selector("#stats summary")
    polls: list[str] = []
    most = 0

    def began(request: Request) -> None:
        nonlocal most
        if "wait=" in request.url:
            polls.append(request.url)
            most = max(most, len(polls))

    def ended(request: Request) -> None:
        if "wait=" in request.url:
            polls.remove(request.url)

    page.on("request", began)
    page.on("requestfinished", ended)
    drop(page, {f"crowd {number}.jpg": jpeg(100 + number, 80) for number in range(4)})
    expect(page.locator("#tiles li[data-state=captioning]")).to_have_count(4)
    provider.fault = ""
    expect(page.locator("#tiles li[data-state=captioning]")).to_have_count(0)
    assert most == 2


def test_a_caption_that_failed_says_why_and_is_tried_again(
    captioning: Server, visit: Visit, provider: Provider
) -> None:
    provider.fault = "bad_image"
    image_id = captioning.upload(jpeg(220, 140), "stubborn.jpg")
    captioning.await_all_done()
    reason = captioning.get(f"/api/images/{image_id}")["caption_error"]["message"]
    page = visit(f"{captioning.url}/#/image/{image_id}")
    expect(page.get_by_role("dialog")).to_contain_text(f"No caption: {reason}")
    provider.fault = ""
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("dialog .caption")).to_have_text(SENTENCE)


def test_a_machine_is_asked_again_but_about_a_persons_words_only_after_a_question(
    captioning: Server, visit: Visit, provider: Provider
) -> None:
    image_id = captioning.upload(jpeg(260, 140), "again.jpg")
    captioning.await_all_done()
    page = visit(f"{captioning.url}/#/image/{image_id}")
    provider.sentence = "Something else altogether"
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator("#side .caption")).to_have_text("Something else altogether")
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Caption", exact=True).fill("My own words")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#side .caption")).to_have_text("My own words")
    provider.sentence = "A machine's words"
    page.get_by_role("button", name="Ask again").click()
    page.get_by_role("button", name="Keep").click()
    page.get_by_role("button", name="Ask again").click()
    page.locator("#confirm").get_by_role("button", name="Replace").click()
    expect(page.locator("#side .caption")).to_have_text("A machine's words")


def test_pictures_whose_caption_failed_are_found_and_captioned_together(
    captioning: Server, visit: Visit, provider: Provider
) -> None:
    provider.fault = "bad_image"
    image_id = captioning.upload(jpeg(240, 150), "still wordless.jpg")
    captioning.await_all_done()
    page = visit(captioning.url)
    page.select_option("select[name=status]", "uncaptioned")
    page.wait_for_url("**/#/?status=uncaptioned")
    tile = page.locator(f"[data-id='{image_id}']")
    expect(tile).to_contain_text("still wordless.jpg")
    provider.fault = ""
    page.keyboard.press("Control+a")
    page.get_by_role("group", name="Selected pictures").get_by_role("button", name="Caption").click()
    expect(tile.locator(".label")).to_have_text(SENTENCE)


def test_hostile_reasons_stay_text(captioning: Server, visit: Visit, provider: Provider) -> None:
    provider.fault, provider.sentence = "own_words", HOSTILE
    image_id = captioning.upload(jpeg(250, 140), "hostile reason.jpg")
    captioning.await_all_done()
    page = visit(f"{captioning.url}/#/image/{image_id}")
    expect(page.locator("#side")).to_contain_text(HOSTILE)


def test_hostile_captions_stay_text(captioning: Server, visit: Visit, provider: Provider) -> None:
    provider.sentence = HOSTILE
    image_id = captioning.upload(jpeg(230, 140), "hostile.jpg")
    captioning.await_all_done()
    page = visit(f"{captioning.url}/#/image/{image_id}")
    expect(page.locator("dialog .caption")).to_have_text(HOSTILE)
