"""One picture: what is known of it, comments, deletion, failure."""

import re
from pathlib import Path

from PIL.TiffImagePlugin import IFDRational
from playwright.sync_api import expect

from tests.browser.acts import comment
from tests.browser.conftest import REFUSAL, Visit
from tests.factories import jpeg, jpeg_with_exif
from tests.imaging.pictures import with_exif
from tests.servers import Server


def _picture(server: Server, name: str, data: bytes | None = None) -> str:
    image_id = server.upload(data or jpeg(400, 300), name)
    server.await_all_done()
    return image_id


def test_a_picture_shows_its_medium_metadata_and_exif(server: Server, visit: Visit) -> None:
    image_id = _picture(server, "camera.jpg", jpeg_with_exif())
    page = visit(f"{server.url}/#/image/{image_id}")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".sheet img").first).to_have_js_property("naturalWidth", 400)
    expect(dialog).to_contain_text("400 × 200 px")
    dialog.get_by_text("EXIF, tags").click()
    expect(dialog.get_by_role("row", name="Make Camera Works")).to_be_visible()


_TAGS = {
    0x829A: IFDRational(1, 125),  # exposure time, s
    0x829D: IFDRational(8, 1),  # f-number
    0x8827: 100,  # ISO
    0x920A: IFDRational(35, 1),  # focal length, mm
    0xA405: 52,  # the same in 35 mm film
    0xA434: "Nikkor 35mm",
}
_SIGHT = {1: "N", 2: (51.0, 30.0, 36.0), 3: "W", 4: (0.0, 7.0, 30.0)}


def test_exif_is_told_as_people_say_it(server: Server, visit: Visit) -> None:
    data = with_exif({0x010F: "NIKON", 0x0110: "NIKON D70"}, Exif=_TAGS, GPSInfo=_SIGHT)
    page = visit(f"{server.url}/#/image/{_picture(server, 'facts.jpg', data)}")
    facts = page.locator("#side dl").first
    for term, told in (
        ("Camera", "NIKON D70"),
        ("Lens", "Nikkor 35mm"),
        ("Exposure", "1/125 s, f/8, ISO 100, 35 mm (52 mm equivalent)"),
        ("Size", "40 × 30 px"),
    ):
        expect(facts.locator("div", has=page.get_by_text(term, exact=True)).locator("dd")).to_have_text(told)
    assert page.evaluate("import('/static/dom.js').then(dom => dom.bytes(3_460_000))") == "3.5 MB"
    expect(facts.get_by_text("Place", exact=True)).to_have_count(0)  # the operator has not allowed it
    expect(page.locator("a[href*=openstreetmap]")).to_have_count(0)


def test_the_back_button_leads_from_a_picture_to_the_gallery(server: Server, visit: Visit) -> None:
    _picture(server, "there and back.jpg")
    page = visit(server.url)
    page.get_by_text("there and back.jpg").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.go_forward()
    expect(page.get_by_role("dialog")).to_contain_text("there and back.jpg")


def test_the_original_downloads_byte_for_byte(server: Server, visit: Visit) -> None:
    data = jpeg(333, 222)
    page = visit(f"{server.url}/#/image/{_picture(server, 'bytes.jpg', data)}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download original").click()
    assert download.value.suggested_filename == "bytes.jpg"
    assert Path(download.value.path()).read_bytes() == data


def test_a_comment_appears_and_stays(server: Server, visit: Visit) -> None:
    address = f"{server.url}/#/image/{_picture(server, 'talked about.jpg')}"
    page = visit(address)
    page.get_by_label("Write a comment").fill("What a\nview")
    page.get_by_role("button", name="Comment").click()
    expect(page.locator(".comments li")).to_contain_text("What a\nview")
    page.reload()
    expect(page.locator(".comments li")).to_contain_text("What a\nview")


def test_a_blank_comment_is_refused_in_words(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/#/image/{_picture(server, 'silent.jpg')}", tolerated=REFUSAL)
    page.get_by_label("Write a comment").fill("   ")
    page.get_by_role("button", name="Comment").click()
    expect(page.locator("#picture form").get_by_role("alert")).not_to_be_empty()


def test_more_comments_follow_on_demand(server: Server, visit: Visit) -> None:
    image_id = _picture(server, "much discussed.jpg")
    for number in range(25):
        comment(server, image_id, f"thought {number}")
    page = visit(f"{server.url}/#/image/{image_id}")
    expect(page.locator(".comments li p")).to_have_count(20)
    page.get_by_role("button", name="More comments").click()
    expect(page.locator(".comments li p")).to_have_count(25)
    expect(page.locator(".comments li p").last).to_have_text("thought 0")


def test_deleting_asks_first_and_goes_on_to_the_next(server: Server, visit: Visit) -> None:
    _picture(server, "wanted.jpg")
    _picture(server, "unwanted.jpg")
    page = visit(server.url)
    page.get_by_text("unwanted.jpg").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Keep").click()
    page.get_by_role("button", name="Delete").click()
    page.locator("#confirm").get_by_role("button", name="Delete").click()
    expect(page.locator("#picture h2")).to_have_text("wanted.jpg")
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page.locator("#tiles").get_by_text("unwanted.jpg")).to_have_count(0)
    expect(page).not_to_have_url(re.compile("image"))
    page.reload()
    expect(page.get_by_text("wanted.jpg", exact=True)).to_be_visible()
    expect(page.locator("#tiles").get_by_text("unwanted.jpg")).to_have_count(0)


def test_a_failure_is_told_and_can_be_tried_again(server: Server, visit: Visit) -> None:
    page = visit(server.url)
    page.wait_for_selector("#stats summary")
    image_id = _picture(server, "cut short.jpg", jpeg(800, 600)[:9000])
    page.reload()
    tile = page.locator(f"[data-id='{image_id}']")
    expect(tile).to_have_attribute("data-state", "failed")
    expect(tile.locator(".frame")).to_contain_text(re.compile("damaged|cannot|read", re.IGNORECASE))
    tile.get_by_role("link").click()
    expect(page.locator("#side")).to_contain_text("damaged")
    with page.expect_response(f"**/{image_id}/retry") as retried:
        page.get_by_role("button", name="Retry").click()
    assert retried.value.status == 202
    expect(page.get_by_role("button", name="Retry")).to_be_visible()


def test_a_picture_that_is_not_there_says_so(server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}/#/image/no-such-id", tolerated=REFUSAL)
    expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text("Image not found")
