"""Whatever people call their files or write under them, it stays text; and the page stays small."""

import gzip
import re

import requests
from playwright.sync_api import expect

from tests.browser.acts import comment
from tests.browser.conftest import Visit
from tests.factories import jpeg_with_exif
from tests.servers import ROOT, Server

BUDGET_BYTES, GZIPPED_BYTES = 126_000, 40_600
MAP = "https://www.openstreetmap.org/"  # a link, never asked by the page itself
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


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


def test_all_of_the_page_is_small() -> None:
    files = [file.read_bytes() for file in (ROOT / "static").rglob("*")]
    assert sum(map(len, files)) < BUDGET_BYTES
    assert len(gzip.compress(b"".join(files))) < GZIPPED_BYTES
