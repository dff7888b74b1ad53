"""Whatever people call their files or write under them, it stays text; and the page stays small."""

import gzip
import re

import requests
from playwright.sync_api import expect

from tests.browser.acts import comment, drop
from tests.browser.conftest import Visit
from tests.factories import jpeg_with_exif
from tests.imaging.pictures import with_exif
from tests.servers import ROOT, Server

BUDGET_BYTES, GZIPPED_BYTES = 100_000, 35_000
MAP = "https://www.openstreetmap.org/"  # a link, never asked by the page itself
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


def test_hostile_words_stay_text_where_they_are_asked_about(server: Server, visit: Visit) -> None:
    name = f"{HOSTILE.replace('/', '|')}.jpg"
    image_id = server.upload(with_exif({}, Exif={0xA434: HOSTILE}), name)
    server.upload(with_exif({}, Exif={0xA434: HOSTILE}), f"twin of {name}")
    server.await_all_done()
    answer = requests.patch(f"{server.url}/api/images/{image_id}", json={"labels": [HOSTILE]}, timeout=60)
    assert answer.ok, answer.text
    comment(server, image_id, HOSTILE)
    page = visit(f"{server.url}/#/image/{image_id}", tolerated="Failed to load resource")
    side = page.locator("#side")
    expect(side.get_by_role("term").filter(has_text="Lens").locator("+ dd")).to_have_text(HOSTILE)
    expect(side.locator(".alike img")).to_have_attribute("title", f"twin of {name}")
    page.get_by_role("button", name="Delete the comment").click()
    expect(page.locator("#confirm p")).to_have_text(HOSTILE)
    page.get_by_role("button", name="Keep").click()
    side.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#confirm h2")).to_have_text(f"Delete {name}?")
    page.get_by_role("button", name="Keep").click()
    side.locator(".chip a").click()
    expect(page.get_by_label("Label", exact=True)).to_have_value(HOSTILE)
    drop(page, {f"no picture {HOSTILE.replace('/', '|')}": b"no picture"})
    expect(page.locator(".faults li b")).to_contain_text("onerror=alert(1)")
    page.route(f"**/api/images/{image_id}", lambda route: route.abort())
    page.locator(f"[data-id='{image_id}'] a").focus()
    page.keyboard.press("Delete")
    page.keyboard.press("Delete")
    page.locator("#confirm").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("group", name="Selected pictures").get_by_role("alert")).to_contain_text(name)


def test_hostile_names_exif_and_comments_stay_text(server: Server, visit: Visit) -> None:
    image_id = server.upload(jpeg_with_exif(make=HOSTILE), f"{HOSTILE.replace('/', '|')}.jpg")
    server.await_all_done()
    comment(server, image_id, HOSTILE)
    page = visit(server.url)
    page.locator(f"[data-id='{image_id}'] a").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("h2")).to_contain_text("onerror=alert(1)")
    expect(dialog.locator(".comments li p")).to_have_text(HOSTILE)
    requests.patch(
        f"{server.url}/api/images/{image_id}", json={"caption": HOSTILE, "labels": [HOSTILE]}, timeout=10
    ).raise_for_status()
    page.reload()
    expect(dialog.locator(".caption")).to_have_text(HOSTILE)
    expect(dialog.locator(".chip a")).to_have_text(HOSTILE)
    expect(dialog.get_by_role("term").filter(has_text="Camera").locator("+ dd")).to_have_text(HOSTILE)
    dialog.get_by_text("EXIF, tags").click()
    expect(dialog.get_by_role("cell", name=HOSTILE)).to_be_visible()
    assert page.locator("script").count() == 1


def test_the_policy_forbids_inline_script(server: Server, visit: Visit) -> None:
    page = visit(server.url, tolerated="Executing inline script violates")
    ran = page.evaluate("""async () => {
      const blocked = new Promise(resolve => document.addEventListener("securitypolicyviolation", resolve));
      const script = document.createElement("script");
      script.textContent = "globalThis.ran = true";
      document.body.append(script);
      await blocked;
      return Boolean(globalThis.ran);
    }""")
    assert not ran


def test_data_never_becomes_markup() -> None:
    for script in (ROOT / "static").glob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", script.read_text()
        ), script


def test_the_page_names_no_other_host() -> None:
    for file in (ROOT / "static").iterdir():
        text = file.read_text().replace(MAP, "")
        assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text) == [], file


def test_all_that_the_page_can_ever_load_is_small() -> None:
    # Every file of static/, what is only loaded on demand as well, packed together.
    files = [file.read_bytes() for file in sorted((ROOT / "static").iterdir())]
    assert sum(map(len, files)) < BUDGET_BYTES
    assert len(gzip.compress(b"".join(files))) < GZIPPED_BYTES
