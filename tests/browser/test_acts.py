"""The acts of the page in the other engine, on a desk and on a phone."""

import json
import os
import shutil
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.browser.acts import CARRIED, PATIENCE_S, encoded
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
    before = server.get("/api/stats")["total"]
    firefox.expect(TILES, before)
    firefox.choose("#files", *files)
    firefox.expect("document.querySelector('#uploads').textContent.includes('2 of 2 uploaded')")
    firefox.expect(f"{TILES} - {before}", 2)
    firefox.expect("document.querySelectorAll('#tiles img')[1]?.naturalWidth", 300)
    firefox.click(".pick")
    firefox.click(".pick", 1)
    firefox.expect(PICKED, 2)
    firefox.expect("document.querySelector('.bulk .label-field')?.matches(':enabled')")
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
    firefox.click(".tools [type=checkbox]")
    x, y = firefox.middle(".log")
    drag = [{"type": "pointerMove", "x": x, "y": y}, {"type": "pointerDown", "button": 0}]
    drag += [{"type": "pointerMove", "x": x, "y": y - step * 20} for step in range(1, 6)]
    firefox.act("pointer", [[*drag, {"type": "pointerUp", "button": 0}]], pointerType="mouse")
    firefox.expect(
        r"/^[\d.]+ +from [\d.]+ to [\d.]+$/.test(document.querySelector('output:not(dialog *)').textContent)"
    )
    firefox.expect(RANGE, "200.0 to 300.0")
    firefox.fill("[name=contrast]", "linear")
    firefox.expect("location.hash.includes('contrast=linear')")
    firefox.expect("document.querySelector('.log').ariaBusy", "false")


def test_a_desk_comments_and_deletes_the_comment(
    server: Server, firefox: Firefox, pictures: list[str]
) -> None:
    firefox.size(1280, 800)
    firefox.visit(f"{server.url}/#/image/{pictures[2]}")
    firefox.expect("document.querySelectorAll('#side section textarea').length", 1)
    firefox.press("c")
    firefox.type("what a view")
    firefox.press("Control", "Enter")
    firefox.expect("document.querySelector('.comments p')?.textContent", "what a view")
    firefox.expect("document.querySelector('.comments time').textContent", "just now")
    firefox.expect("document.querySelector('#side section textarea').value", "")
    firefox.click(".comments button")
    firefox.expect("document.querySelector('#confirm p')?.textContent", "what a view")
    firefox.click("#confirm .danger")
    firefox.expect("document.querySelectorAll('.comments li').length", 0)
    firefox.press("Escape")


def test_a_desk_filters_exports_and_turns_down_a_deletion(
    server: Server, firefox: Firefox, pictures: list[str]
) -> None:
    firefox.size(1280, 800)
    firefox.visit(f"{server.url}/#/")
    firefox.expect(f"{TILES} >= 3")
    firefox.press("/")
    firefox.type("second")
    firefox.expect(TILES, 1)
    firefox.expect("location.hash", "#/?q=second")
    firefox.click(".pick")
    firefox.expect("document.querySelector('.bulk select')?.matches(':enabled')")
    firefox.fill(".bulk select", "sidecar")
    saved = firefox.downloads / "imgpipe.zip"
    _await_file(saved)
    with zipfile.ZipFile(saved) as archive:
        assert [name for name in archive.namelist() if name.endswith(".jpg")]
    firefox.expect("document.querySelector('.bulk .danger').matches(':enabled')")
    firefox.press("Delete")
    firefox.expect("document.querySelectorAll('#confirm[open]').length", 1)
    firefox.click("#confirm button")  # which keeps
    firefox.expect("document.querySelectorAll('dialog[open]').length", 0)
    firefox.expect(PICKED, 1)
    firefox.fill("[name=q]", "")
    firefox.fill("#filter [name=label]", "nobody's")
    firefox.expect("document.querySelector('#more').textContent", "Nothing found.")
    firefox.fill("#filter [name=label]", "")
    firefox.expect(f"{TILES} >= 3")


def _await_file(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not (path.exists() and path.stat().st_size and not list(path.parent.glob("*.part"))):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_is_dropped_is_uploaded_and_what_failed_is_tried_again(
    server: Server, firefox: Firefox, pictures: list[str]
) -> None:
    firefox.size(1280, 800)
    firefox.visit(f"{server.url}/#/")
    firefox.expect("document.querySelector('#stats').hidden", False)
    files = encoded({"dropped.jpg": jpeg(800, 600)[:9000], "notes.jpg": b"no picture"})
    drags = "new DragEvent(kind, {dataTransfer, bubbles: true, cancelable: true})"
    firefox.ask(
        f"(dataTransfer => {{ for (const kind of ['dragover', 'drop'])"
        f" document.querySelector('main').dispatchEvent({drags}) }})(({CARRIED})({json.dumps(files)}))"
    )
    firefox.expect("document.querySelector('#uploads p').textContent", "1 of 2 uploaded, 1 failed")
    firefox.click(".faults button:last-child")
    firefox.expect("document.querySelector('.faults').hidden")
    firefox.expect("document.querySelectorAll('[data-state=failed]').length", 1)
    firefox.fill("#filter [name=status]", "failed")
    firefox.expect("location.hash", "#/?status=failed")
    firefox.expect("document.querySelector('#more').textContent", "1 picture")
    firefox.click(".pick")
    firefox.expect("document.querySelector('.bulk button')?.matches(':enabled')")  # Retry
    before = firefox.ask("performance.getEntriesByType('resource').length")
    firefox.click(".bulk button")
    asked = f"performance.getEntriesByType('resource').slice({before}).map(one => one.name)"
    firefox.expect(f"{asked}.some(one => one.endsWith('/retry'))")
    firefox.expect("document.querySelectorAll('[data-state=failed]').length", 1)
    firefox.expect("document.querySelector('.bulk').hidden")


def test_two_depth_logs_are_seen_by_azimuth_and_the_link_is_copied(
    server: Server, firefox: Firefox, pictures: list[str]
) -> None:
    files = {"file": ("log.csv", b"depth,a,b\n100,1,2\n101,3,4\n102,5,6\n")}
    assert requests.post(f"{server.url}/api/frames", files=files, data={"log": "den"}, timeout=30).ok
    firefox.size(1280, 800)
    firefox.visit(f"{server.url}/#/logs/fox")
    firefox.expect("document.querySelector('.log')?.ariaBusy", "false")
    firefox.fill("[name=beside]", "den")
    firefox.expect("[...document.querySelectorAll('.heads b')].map(one => one.textContent)", ["fox", "den"])
    firefox.fill("[name=across]", "compass")
    firefox.expect("document.querySelector('.marks').textContent", "NESWN")
    firefox.expect("['beside=den', 'across=compass'].every(one => location.hash.includes(one))")
    firefox.expect("document.querySelector('.log').ariaBusy", "false")
    x, y = firefox.middle(".log")
    firefox.act("pointer", [[{"type": "pointerMove", "x": x - 200, "y": y}]], pointerType="mouse")
    firefox.expect("document.querySelector('.under output').textContent.includes('azimuth')")
    firefox.click(".tools button:last-child")
    firefox.expect("document.querySelector('.tools button:last-child').textContent", "Copied")
    firefox.expect("navigator.clipboard.readText().then(one => one === location.href)")


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
