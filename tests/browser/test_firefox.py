"""The acts of the page in the other engine, on a desk and on a phone."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.browser.firefox import Firefox, browsing
from tests.factories import jpeg
from tests.servers import Server

TITLE = "document.querySelector('#picture h2')?.textContent"
ZOOM = "parseInt(document.querySelector('.head output').textContent)"
TILES = "document.querySelectorAll('#tiles li').length"
PICKED = "document.querySelectorAll('#tiles li:has(:checked)').length"
RANGE = "document.querySelector('.log').ariaValueText"


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """Return a running Firefox; skip, or fail on CI, where none is installed."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        if os.environ.get("CI") == "true":
            raise RuntimeError("CI=true, and there is no Firefox on this machine")
        pytest.skip("there is no Firefox on this machine")
    with browsing(program, tmp_path_factory.mktemp("firefox")) as running:
        yield running


@pytest.fixture(scope="module")
def pictures(server: Server) -> list[str]:
    """Store three pictures and a depth log; returns the pictures' ids, newest first."""
    ids = [server.upload(jpeg(1600, 1200), name) for name in ("third.jpg", "second.jpg", "first.jpg")]
    server.await_all_done()
    lines = "\n".join(f"{100 + row * 0.5},{row % 256}" for row in range(2000))
    files = {"file": ("log.csv", f"depth,a\n{lines}\n".encode())}
    assert requests.post(f"{server.url}/api/frames", files=files, data={"log": "fox"}, timeout=30).ok
    return ids[::-1]


def test_a_desk_opens_turns_zooms_and_closes(server: Server, firefox: Firefox, pictures: list[str]) -> None:
    firefox.size(1280, 800)
    firefox.visit(server.url)
    firefox.expect("document.querySelectorAll('#tiles img')[2]?.naturalWidth", 512)
    firefox.click("#tiles a")
    firefox.expect(TITLE, "first.jpg")
    firefox.expect("document.querySelector('.sheet').lastChild?.naturalWidth", 1600)
    firefox.press("ArrowRight")
    firefox.expect(TITLE, "second.jpg")
    firefox.expect("document.title", "second.jpg · imgpipe")
    firefox.click(".stage", times=2)
    firefox.expect(ZOOM, 100)
    firefox.press("0")
    firefox.expect(f"{ZOOM} < 100")
    firefox.expect("document.querySelectorAll('.edit').length", 1)
    firefox.press("e")
    firefox.expect("document.activeElement.ariaLabel", "Caption")
    firefox.press("a")
    firefox.press("Control", "Enter")
    firefox.expect("document.querySelector('#side .caption')?.textContent", "a")
    firefox.call("browsingContext.traverseHistory", context=firefox.tab, delta=-1)
    firefox.expect("document.querySelectorAll('dialog[open]').length", 0)
    firefox.call("browsingContext.traverseHistory", context=firefox.tab, delta=1)
    firefox.expect(TITLE, "second.jpg")
    firefox.press("Escape")
    firefox.expect("document.querySelectorAll('dialog[open]').length", 0)
    firefox.expect("document.activeElement.closest('li')?.dataset.id", pictures[1])


def test_a_desk_selects_by_corner_and_keys(server: Server, firefox: Firefox, pictures: list[str]) -> None:
    firefox.size(1280, 800)
    firefox.visit(server.url)
    firefox.expect("document.querySelectorAll('#tiles li').length >= 3")
    firefox.click(".pick")
    firefox.expect(PICKED, 1)
    firefox.press("Escape")
    firefox.expect(PICKED, 0)
    firefox.press("Control", "a")
    firefox.expect(f"{PICKED} >= 3")
    firefox.press("Escape")
    firefox.press("?")
    firefox.expect("document.querySelectorAll('#keys[open]').length", 1)


def test_a_phone_swipes_pinches_and_presses_long(
    server: Server, firefox: Firefox, pictures: list[str]
) -> None:
    firefox.size(390, 844)
    firefox.visit(f"{server.url}/#/image/{pictures[0]}")
    firefox.expect("document.querySelector('.sheet')?.lastChild?.naturalWidth", 512)  # enough for this screen
    firefox.touch([(300, 300), (220, 300), (140, 302), (90, 302)])
    firefox.expect(TITLE, "second.jpg")
    firefox.expect("document.querySelector('.sheet').lastChild?.naturalWidth", 512)
    whole = firefox.ask(ZOOM)
    firefox.touch([(180, 300), (140, 300), (80, 300)], [(210, 300), (250, 300), (310, 300)])
    firefox.expect(f"{ZOOM} > {whole * 2}")
    firefox.visit(server.url)
    firefox.expect("document.querySelectorAll('#tiles li').length >= 3")
    x, y = firefox.middle("#tiles a")
    hold = [
        {"type": "pointerMove", "x": x, "y": y},
        {"type": "pointerDown", "button": 0},
        {"type": "pause", "duration": 700},
    ]
    firefox.act("pointer", [[*hold, {"type": "pointerUp", "button": 0}]], pointerType="touch")
    firefox.expect(PICKED, 1)
    assert firefox.ask("document.documentElement.scrollWidth") <= 390


def test_a_desk_uploads_labels_and_deletes_many(server: Server, firefox: Firefox, tmp_path: Path) -> None:
    files = [tmp_path / "fox one.jpg", tmp_path / "fox two.jpg"]
    for file in files:
        file.write_bytes(jpeg(300, 200))
    firefox.size(1280, 800)
    firefox.visit(f"{server.url}/#/")
    firefox.expect("document.querySelector('#stats').hidden", False)
    before = firefox.ask(TILES)
    firefox.choose("#files", *files)
    firefox.expect("document.querySelector('#uploads').textContent.includes('2 of 2 uploaded')")
    firefox.expect(f"{TILES} - {before}", 2)
    firefox.expect("document.querySelectorAll('#tiles img')[1]?.naturalWidth", 300)
    firefox.click(".pick")
    firefox.click(".pick", 1)
    firefox.expect(PICKED, 2)
    firefox.expect("document.querySelector('.bulk .label-field')?.disabled", False)
    firefox.click(".bulk .label-field")
    firefox.press("b")
    firefox.press("Enter")
    firefox.expect("document.querySelector('.bulk').hidden")
    firefox.expect("fetch('api/images?label=b').then(one => one.json()).then(({data}) => data.length)", 2)
    firefox.click(".pick")
    firefox.click(".pick", 1)
    firefox.expect(PICKED, 2)
    firefox.press("Delete")
    firefox.expect("document.querySelector('#confirm').open")
    firefox.click("#confirm .danger")
    firefox.expect(TILES, before)


def test_a_depth_log_is_measured_and_stretched(server: Server, firefox: Firefox, pictures: list[str]) -> None:
    firefox.size(1280, 800)
    firefox.visit(f"{server.url}/#/logs/fox?from=200&to=300&map=gray")
    firefox.expect("document.querySelector('.log')?.ariaBusy", "false")
    firefox.click(".tools [aria-pressed]")
    x, y = firefox.middle(".log")
    drag = [{"type": "pointerMove", "x": x, "y": y}, {"type": "pointerDown", "button": 0}]
    drag += [{"type": "pointerMove", "x": x, "y": y - step * 20} for step in range(1, 6)]
    firefox.act("pointer", [[*drag, {"type": "pointerUp", "button": 0}]], pointerType="mouse")
    firefox.expect(
        r"/^[\d.]+ +from [\d.]+ to [\d.]+$/.test(document.querySelector('output:not(dialog *)').textContent)"
    )
    firefox.expect(RANGE, "200.0 to 300.0")
    fields = "[...document.querySelectorAll('.field')]"
    contrast = f"{fields}.find(one => one.textContent.startsWith('Contrast')).lastChild"
    firefox.ask(f"(one => {{ one.value = 'linear'; one.dispatchEvent(new Event('change')) }})({contrast})")
    firefox.expect("location.hash.includes('contrast=linear')")
    firefox.expect("document.querySelector('.log').ariaBusy", "false")


def test_a_depth_log_is_dragged_zoomed_and_linked(
    server: Server, firefox: Firefox, pictures: list[str]
) -> None:
    firefox.size(1280, 800)
    firefox.visit(f"{server.url}/#/logs/fox?from=200&to=300&map=gray")
    firefox.expect("document.querySelector('.log')?.ariaBusy", "false")
    firefox.expect(RANGE, "200.0 to 300.0")
    x, y = firefox.middle(".log")
    drag = [{"type": "pointerMove", "x": x, "y": y}, {"type": "pointerDown", "button": 0}]
    drag += [{"type": "pointerMove", "x": x, "y": y - step * 20} for step in range(1, 6)]
    firefox.act("pointer", [[*drag, {"type": "pointerUp", "button": 0}]], pointerType="mouse")
    firefox.expect(f"{RANGE} !== '200.0 to 300.0'")
    firefox.click("[aria-label='Zoom in']")
    firefox.expect("location.hash.includes('from=200&')", False)
    firefox.click("[data-part=gallery]")
    firefox.expect("document.querySelector('#gallery').hidden", False)
    firefox.visit(f"{server.url}/#/no/such/place")
    firefox.expect("document.querySelector('#lost').hidden", False)
