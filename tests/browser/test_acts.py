"""Every act of the page in both engines, at a desk and on a phone."""

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.browser.acts import CARRIED, PHONE, encoded
from tests.browser.chromium import Chromium
from tests.browser.conftest import REFUSAL, Visit, asking
from tests.browser.firefox import Firefox, browsing
from tests.browser.hands import Hand
from tests.captions.provider import SENTENCE, Provider
from tests.factories import jpeg, transparent_png
from tests.servers import Server, serving

TITLE = "document.querySelector('#picture[open] h2')?.textContent"
ZOOM = "parseInt(document.querySelector('.head output').textContent)"
TILES = "document.querySelectorAll('#tiles li').length"
NAMES = "[...document.querySelectorAll('#tiles .label')].map(one => one.textContent)"
PICKED = "document.querySelectorAll('#tiles li:has(:checked)').length"
OPEN = "document.querySelectorAll('dialog[open]').length"
MORE = "document.querySelector('#more').textContent"
CAPTION = "document.querySelector('#side .caption')?.textContent"
RING = "getComputedStyle(document.activeElement).outlineStyle === 'solid'"
RANGE = "document.querySelector('.log').ariaValueText"
STILL = "document.querySelector('.log')?.ariaBusy"
LOG = "depth,a\n" + "\n".join(f"{100 + row * 0.5},{row % 256}" for row in range(2000))


@pytest.fixture(scope="module")
def server(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server that captions, with three pictures and two depth logs."""
    with serving(tmp_path_factory.mktemp("acts"), **asking(provider)) as running:
        for name in ("third.jpg", "second.jpg", "first.jpg"):
            running.upload(jpeg(1600, 1200), name)
        running.await_all_done()
        for log in ("fox", "den"):
            files = {"file": ("log.csv", LOG.encode())}
            form = {"log": log, "depth_unit": "m"}
            assert requests.post(f"{running.url}/api/frames", files=files, data=form, timeout=30).ok
        yield running


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Firefox]]:
    """Return what gives a running Firefox; it skips, or fails on CI, where none is installed."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        if os.environ.get("CI") == "true":
            raise RuntimeError("CI=true, and there is no Firefox on this machine")
        pytest.skip("there is no Firefox on this machine")
    with browsing(program, tmp_path_factory.mktemp("firefox")) as running:
        yield lambda: running


THE_OTHERS = [pytest.param(one, marks=pytest.mark.system) for one in ("firefox phone", "chromium desk")]


@pytest.fixture(params=["firefox desk", "chromium phone", *THE_OTHERS])
def hand(request: pytest.FixtureRequest, server: Server, visit: Visit, provider: Provider) -> Hand:
    """Return a hand at an engine and a device, before an empty page."""
    provider.fault = ""
    engine, device = request.param.split()
    if engine == "firefox":
        running: Hand = request.getfixturevalue("firefox")()
    else:
        options = PHONE if device == "phone" else {}
        blank = f"{server.url}/static/icon.svg"
        running = Chromium(visit(blank, tolerated=REFUSAL, **options))
    running.hold(device)
    return running


@pytest.fixture
def ids(server: Server) -> list[str]:
    """Return the ids of the three pictures, newest first."""
    images = server.get("/api/images")
    return [
        image["image_id"] for image in images if image["original_name"][:-4] in ("first", "second", "third")
    ]


def test_a_picture_is_opened_turned_and_left(server: Server, hand: Hand, ids: list[str]) -> None:
    hand.visit(f"{server.url}/#/?q={SENTENCE[:5]}")
    hand.expect("document.querySelectorAll('#tiles img')[2]?.naturalWidth", 512)
    hand.click(f"[data-id='{ids[0]}'] a")
    hand.expect(TITLE, "first.jpg")
    hand.expect("document.querySelector('#picture').offsetWidth === innerWidth")
    hand.expect("document.querySelector('.sheet img')?.naturalWidth", 512)
    hand.click(".turn + .turn")
    hand.expect(TITLE, "second.jpg")
    hand.click(".turn + .turn")
    hand.expect(TITLE, "third.jpg")
    hand.click(".turn")
    hand.expect(TITLE, "second.jpg")
    hand.expect("document.title", "second.jpg · imgpipe")
    for swipe, key, name in (
        ((300, 220, 90), "ArrowRight", "third"),
        ((90, 220, 300), "ArrowLeft", "second"),
    ):
        if hand.device == "phone":
            hand.touch([(x, 300) for x in swipe])
        else:
            hand.press(key)
        hand.expect(TITLE, f"{name}.jpg")
    hand.travel(-1)
    hand.expect(OPEN, 0)
    hand.travel(1)
    hand.expect(TITLE, "second.jpg")
    hand.press("i")
    hand.expect("document.querySelector('#side').checkVisibility()", False)
    hand.press("i")
    hand.expect("document.querySelector('#side').checkVisibility()")
    hand.press("Escape")
    hand.expect(OPEN, 0)
    hand.expect("document.activeElement.closest('li')?.dataset.id", ids[1])


def test_a_picture_is_zoomed_and_moved(server: Server, hand: Hand, ids: list[str]) -> None:
    hand.visit(f"{server.url}/#/image/{ids[0]}")
    hand.expect("document.querySelector('.sheet')?.lastChild?.complete")
    hand.expect(TITLE, "first.jpg")
    whole = hand.ask(ZOOM)
    hand.press("+")
    hand.expect(f"{ZOOM} > {whole}")
    hand.press("1")
    hand.expect(ZOOM, 100)
    hand.press("0")
    hand.expect(ZOOM, whole)
    x, y = hand.middle(".stage")
    if hand.device == "phone":
        hand.touch([(x - 15, y), (x - 55, y), (x - 115, y)], [(x + 15, y), (x + 55, y), (x + 115, y)])
    else:
        hand.wheel(x, y, -300)
    hand.expect(f"{ZOOM} > {whole * 1.5}")
    hand.expect("document.querySelector('.sheet').lastChild.naturalWidth", 1600)
    place = "document.querySelector('.sheet').getBoundingClientRect().x"
    before = hand.ask(place)
    way = [(x, y), (x - 20, y), (x - 40, y)]
    if hand.device == "phone":
        hand.touch(way)
    else:
        hand.mouse(*way)
    hand.expect(f"{place} < {before - 10}")
    hand.press("0")
    if hand.device == "phone":
        return
    hand.mouse((x, y), times=2)
    hand.expect(ZOOM, 100)


def test_a_png_stands_on_chequered_ground(server: Server, hand: Hand) -> None:
    image_id = server.upload(transparent_png(), "see through.png")
    server.await_all_done()
    hand.visit(f"{server.url}/#/image/{image_id}")
    hand.expect("document.querySelector('.sheet img')?.naturalWidth", 300)
    hand.expect(
        "getComputedStyle(document.querySelector('.sheet')).backgroundImage.includes('conic-gradient')"
    )
    server.delete(image_id)


def test_a_caption_labels_and_a_comment_are_written(server: Server, hand: Hand, ids: list[str]) -> None:
    hand.visit(f"{server.url}/#/image/{ids[1]}")
    hand.expect("document.querySelectorAll('#side section textarea').length", 1)
    hand.press("e")
    hand.expect("document.activeElement.ariaLabel", "Caption")
    hand.press("Control", "a")
    hand.type("my words")
    hand.press("Control", "Enter")
    hand.expect(CAPTION, "my words")
    hand.press("l")
    hand.type("harbour")
    hand.press("Enter")
    hand.expect("document.querySelector('.chip a')?.textContent", "harbour")
    hand.expect("document.activeElement.className", "label-field")
    hand.click(".chip button")
    hand.expect("document.querySelectorAll('.chip').length", 0)
    hand.click("#side section textarea")
    hand.type("what a view")
    hand.press("Control", "Enter")
    hand.expect("document.querySelector('.comments p')?.textContent", "what a view")
    hand.expect("document.querySelector('.comments time').textContent", "just now")
    hand.expect("/20\\d\\d/.test(document.querySelector('.comments time').title)")
    hand.expect("document.querySelector('#side section textarea').value", "")
    hand.click(".comments button")
    hand.expect("document.querySelector('#confirm p')?.textContent", "what a view")
    hand.click("#confirm .danger")
    hand.expect("document.querySelectorAll('.comments li').length", 0)
    requests.patch(
        f"{server.url}/api/images/{ids[1]}", json={"caption": SENTENCE}, timeout=30
    ).raise_for_status()


def test_the_gallery_is_searched_and_filtered(server: Server, hand: Hand, provider: Provider) -> None:
    provider.fault = "bad_image"
    wordless = server.upload(jpeg(90, 60), "wordless.jpg")
    broken = server.upload(jpeg(800, 600)[:9000], "broken.jpg")
    server.await_all_done()
    answer = requests.patch(f"{server.url}/api/images/{broken}", json={"labels": ["attic"]}, timeout=30)
    assert answer.ok, answer.text
    hand.visit(f"{server.url}/#/")
    hand.expect(f"{NAMES}.slice(0, 2)", ["broken.jpg", "wordless.jpg"])  # the newest first
    hand.expect(f"{NAMES}.includes({json.dumps(SENTENCE)})")
    hand.expect("document.querySelector('#tiles h2').textContent", "Today")
    for field, value, said in (
        ("[name=status]", "failed", ["broken.jpg"]),
        ("[name=status]", "uncaptioned", ["wordless.jpg"]),
        ("[name=label]", "attic", ["broken.jpg"]),
        ("[name=q]", "wordless", ["wordless.jpg"]),
    ):
        hand.fill(f"#filter {field}", value)
        hand.expect(NAMES, said)
        hand.expect(f"location.hash.endsWith('={value}')")
        hand.fill(f"#filter {field}", "")
        hand.expect(f"{TILES} >= 5")
    hand.click("#filter [name=q]")
    hand.type("nobody's")
    hand.expect(MORE, "Nothing found.")
    hand.click("#stats summary")
    hand.expect(
        "document.querySelector('#stats p').textContent.includes('of work on average, without waiting')"
    )
    for image_id in (wordless, broken):
        server.delete(image_id)


def test_tiles_are_selected(server: Server, hand: Hand, ids: list[str]) -> None:
    hand.visit(f"{server.url}/#/")
    hand.expect(TILES, 3)
    if hand.device == "phone":
        hand.touch([hand.middle("#tiles a")], pause_ms=700)
        hand.expect(PICKED, 1)
        hand.click("#tiles a", 1)
        hand.expect(PICKED, 2)
        hand.click("#tiles a", 1)
        hand.expect(PICKED, 1)
        hand.touch([hand.middle("#tiles a", 2)], pause_ms=700)
        hand.expect(PICKED, 3)
        hand.expect(OPEN, 0)
    else:
        hand.click(".pick")
        hand.expect(PICKED, 1)
    hand.press("Escape")
    hand.expect(PICKED, 0)
    hand.press("Control", "a")
    hand.expect(PICKED, 3)
    hand.press("Escape")
    hand.ask("document.querySelector('#tiles a').focus()")
    hand.press(" ")
    hand.press("Shift", "ArrowRight")
    hand.expect(PICKED, 2)
    hand.expect("document.activeElement.closest('li').dataset.id", ids[1])
    hand.expect(f"!document.hasFocus() || {RING}")  # a Firefox that nobody sees never has it
    hand.press("Escape")
    hand.press("?")
    hand.expect("document.querySelector('#keys')?.textContent.includes('long press')")
    hand.press("Escape")
    hand.expect(OPEN, 0)
    hand.expect("document.documentElement.scrollWidth <= innerWidth")


def test_many_are_uploaded_labelled_captioned_exported_and_deleted(
    server: Server, hand: Hand, tmp_path: Path
) -> None:
    files = [tmp_path / "fox one.jpg", tmp_path / "fox two.jpg"]
    for number, file in enumerate(files):
        file.write_bytes(jpeg(300 + number, 200))
    hand.visit(f"{server.url}/#/")
    hand.expect(TILES, 3)
    hand.choose("#files", *files)
    hand.expect("document.querySelector('#uploads').textContent.includes('2 of 2 uploaded')")
    hand.expect(TILES, 5)
    hand.expect(f"{NAMES}.slice(0, 2)", [SENTENCE] * 2)
    ready = "document.querySelector('.bulk:not([hidden]) select')?.matches(':enabled')"

    def pick_two() -> None:
        if hand.device == "phone":
            hand.touch([hand.middle("#tiles a")], pause_ms=700)
            hand.expect(PICKED, 1)
            hand.click("#tiles a", 1)
        else:
            hand.click(".pick")
            hand.click(".pick", 1)
        hand.expect(PICKED, 2)
        hand.expect(ready)

    pick_two()
    hand.fill(".bulk select", "sidecar")
    with zipfile.ZipFile(hand.saved("imgpipe.zip")) as archive:
        assert len([name for name in archive.namelist() if name.endswith(".jpg")]) == 2
    hand.expect(ready)
    hand.click(".bulk .label-field")
    hand.type("den")
    hand.press("Enter")
    hand.expect("document.querySelector('.bulk').hidden")
    hand.expect("fetch('api/images?label=den').then(one => one.json()).then(({data}) => data.length)", 2)
    pick_two()
    hand.click(".bulk button", 2)  # Caption
    hand.expect("document.querySelector('.bulk').hidden")
    pick_two()
    hand.press("Delete")
    hand.expect("document.querySelector('#confirm h2')?.textContent", "Delete 2 pictures?")
    hand.click("#confirm button")  # which keeps
    hand.expect(OPEN, 0)
    hand.expect(PICKED, 2)
    hand.click(".bulk .danger")
    hand.expect("document.querySelector('#confirm')?.open")
    hand.click("#confirm .danger")
    hand.expect(TILES, 3)
    hand.expect("document.querySelector('.bulk').hidden")


def test_what_is_dropped_is_uploaded_and_what_failed_is_tried_again(server: Server, hand: Hand) -> None:
    hand.visit(f"{server.url}/#/")
    hand.expect("document.querySelector('#stats').hidden", False)
    hand.expect(f"document.querySelector('.add').checkVisibility() && {TILES}", 3)
    files = encoded({"dropped.jpg": jpeg(800, 600)[:9000], "notes.jpg": b"no picture"})
    drags = "new DragEvent(kind, {dataTransfer, bubbles: true, cancelable: true})"
    hand.ask(
        f"(dataTransfer => {{ for (const kind of ['dragover', 'drop'])"
        f" document.querySelector('main').dispatchEvent({drags}) }})(({CARRIED})({json.dumps(files)}))"
    )
    hand.expect("document.querySelector('#uploads p').textContent", "1 of 2 uploaded, 1 failed")
    hand.expect("document.querySelector('.faults button').hidden")  # the same bytes would fail again
    hand.click(".faults button:last-child")
    hand.expect("document.querySelector('.faults').hidden")
    hand.expect("document.querySelectorAll('[data-state=failed]').length", 1)
    hand.ask("document.querySelector('[data-state=failed] .pick').click()")
    hand.expect("document.querySelectorAll('.bulk button')[1]?.matches(':enabled')")  # Retry
    asked = "performance.getEntriesByType('resource').some(one => one.name.endsWith('/retry'))"
    hand.click(".bulk button", 1)
    hand.expect(asked)
    hand.expect("document.querySelectorAll('[data-state=failed]').length", 1)
    hand.expect("document.querySelector('.bulk').hidden")
    server.delete(server.get("/api/images", limit=1)[0]["image_id"])


def test_an_upload_that_did_not_arrive_is_sent_again(server: Server, hand: Hand, tmp_path: Path) -> None:
    (tmp_path / "again.jpg").write_bytes(jpeg(200, 100))
    hand.visit(f"{server.url}/#/")
    hand.expect(TILES, 3)
    hand.ask(
        "(send => { XMLHttpRequest.prototype.send = function () { this.abort(); this.onloadend();"
        " XMLHttpRequest.prototype.send = send } })(XMLHttpRequest.prototype.send)"
    )
    hand.choose("#files", tmp_path / "again.jpg")
    hand.expect(
        "document.querySelector('.faults summary')?.textContent",
        "1 upload failed: The server cannot be reached.",
    )
    hand.click(".faults button")
    hand.expect("document.querySelector('#uploads p').textContent", "1 of 1 uploaded")
    hand.expect("document.querySelector('.faults').hidden")
    hand.expect(TILES, 4)
    server.delete(server.get("/api/images", limit=1)[0]["image_id"])


def test_the_list_of_logs_leads_into_one_and_back(server: Server, hand: Hand) -> None:
    hand.visit(f"{server.url}/#/logs")
    hand.expect("document.querySelectorAll('.logs tbody tr').length", 2)
    cards = hand.device == "phone"
    hand.expect("getComputedStyle(document.querySelector('.logs tr')).display === 'block'", cards)
    hand.expect("getComputedStyle(document.querySelector('.logs td'), '::before').content !== 'none'", cards)
    hand.expect("document.documentElement.scrollWidth <= innerWidth")
    order = "document.querySelector('.intake input').compareDocumentPosition(document.querySelector('#csv'))"
    hand.expect(f"{order} & Node.DOCUMENT_POSITION_FOLLOWING", 4)  # the name before the file
    hand.click(".logs a")
    hand.expect(STILL, "false")
    hand.expect(RANGE, "100.0 to 1099.5")
    hand.expect(
        "[document.querySelector('[name=from]').value, document.querySelector('[name=to]').value]",
        ["100.0", "1099.5"],
    )
    hand.travel(-1)
    hand.expect("document.querySelectorAll('.logs tbody tr').length", 2)
    hand.visit(f"{server.url}/#/no/such/place")
    hand.expect("document.querySelector('#lost').checkVisibility()")


def test_a_log_is_moved_and_zoomed(server: Server, hand: Hand) -> None:
    hand.visit(f"{server.url}/#/logs/fox?from=200&to=300&map=gray")
    hand.expect(STILL, "false")
    hand.expect(RANGE, "200.0 to 300.0")
    x, y = hand.middle(".log")
    up = [(x, y - step * 40) for step in range(6)]
    if hand.device == "phone":
        hand.ask("void addEventListener('touchmove', one => { window.ours = one.defaultPrevented })")
        hand.touch(up)
        hand.expect("window.ours", False)
        if not isinstance(hand, Firefox):  # touches that are sent to it reach the page, but scroll nothing
            hand.expect("scrollY > 20")
        hand.expect(RANGE, "200.0 to 300.0")
        x, y = hand.middle(".log")
        hand.touch(
            [(x - 30, y - step * 20) for step in range(6)], [(x + 30, y - step * 20) for step in range(6)]
        )
    else:
        hand.mouse(*up)
    hand.expect(f"parseFloat({RANGE}) > 205")
    hand.ask("document.querySelector('.log').focus()")
    hand.press("Home")
    hand.expect(f"parseFloat({RANGE})", 100)
    hand.click("[aria-label='Zoom in']")
    hand.expect("location.hash.includes('from=200&')", False)
    hand.fill("[name=to]", "")
    hand.expect(f"{RANGE}.endsWith(' to 1099.5')")


def test_a_log_is_measured_stretched_set_beside_another_and_linked(server: Server, hand: Hand) -> None:
    hand.visit(f"{server.url}/#/logs/fox?from=200&to=300&map=gray")
    hand.expect(STILL, "false")
    hand.click(".tools [type=checkbox]")
    x, y = hand.middle(".log")
    way = [(x, y - step * 20) for step in range(6)]
    if hand.device == "phone":
        hand.touch(way)
    else:
        hand.mouse(*way)
    reading = "document.querySelector('.under output').textContent"
    hand.expect(rf"/^[\d.]+ m from [\d.]+ to [\d.]+$/.test({reading})")
    hand.expect(RANGE, "200.0 to 300.0")
    hand.fill("[name=contrast]", "linear")
    hand.expect("location.hash.includes('contrast=linear')")
    hand.fill("[name=beside]", "den")
    hand.expect("[...document.querySelectorAll('.heads b')].map(one => one.textContent)", ["fox", "den"])
    hand.fill("[name=across]", "compass")
    hand.expect("document.querySelector('.marks').textContent", "NESWN")
    hand.expect("['beside=den', 'across=compass'].every(one => location.hash.includes(one))")
    hand.expect(STILL, "false")
    x, y = hand.middle(".log")
    if hand.device == "desk":
        hand.mouse((x - 200, y), down=False)
        hand.expect(f"{reading}.includes('azimuth')")
    link = ".tools button:last-child"
    hand.click(link)
    hand.expect(f"document.querySelector('{link}').textContent.startsWith('Cop')")
    if isinstance(hand, Firefox):
        hand.expect("navigator.clipboard.readText().then(one => one === location.href)")
