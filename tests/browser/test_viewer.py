"""The viewer of a depth log: what is drawn is what was measured, wherever one goes."""

import io
import re
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.acts import PHONE, axe_faults, frames, touch, until
from tests.browser.conftest import REFUSAL, Visit
from tests.servers import Server

ROWS, STEP, FIRST = 6000, 0.5, 1000.0
_GREY_AT = """([canvas, part]) => {
  const x = canvas.width * 0.7, y = Math.floor(canvas.height * part);
  return canvas.getContext("2d").getImageData(x, y, 1, 1).data[0];
}"""


def _grey(row: int) -> int:
    return row * 37 % 256


def _row_at(depth: float) -> int:
    return round((depth - FIRST) / STEP)


@pytest.fixture(scope="module")
def log(server: Server) -> str:
    """Store a log whose every row has a grey of its own; return its address."""
    lines = (f"{FIRST + row * STEP}," + ",".join([str(_grey(row))] * 8) for row in range(ROWS))
    data = "depth," + ",".join("abcdefgh") + "\n" + "\n".join(lines)
    files = {"file": ("grey.csv", data.encode())}
    assert requests.post(f"{server.url}/api/frames", files=files, data={"log": "grey"}, timeout=30).ok
    return f"{server.url}/#/logs/grey"


@pytest.fixture
def view(log: str, visit: Visit) -> Callable[..., Page]:
    """Return a function that opens the log and waits until what is in view has come."""

    def open_view(query: str = "?from=1100&to=1110&map=gray", **options: Any) -> Page:
        page = visit(log + query, **({"tolerated": "Canvas2D: Multiple readback"} | options))
        _await_tiles(page)
        return page

    return open_view


def _await_tiles(page: Page) -> None:
    frames(page)  # the view is drawn, and its tiles asked for, with the next
    expect(page.get_by_role("slider")).to_have_attribute("aria-busy", "false")


def _range(page: Page) -> tuple[float, float]:
    frames(page)
    text = page.get_by_role("slider").get_attribute("aria-valuetext") or ""
    low, high = text.split(" to ")
    return float(low), float(high)


def _assert_drawn_as_measured(page: Page) -> None:
    _await_tiles(page)
    low, high = _range(page)
    canvas = page.get_by_role("slider").element_handle()
    drawn = [page.evaluate(_GREY_AT, [canvas, part]) for part in (0.2, 0.5, 0.8)]
    rows = [_row_at(low + part * (high - low)) for part in (0.2, 0.5, 0.8)]
    for grey, row in zip(drawn, rows, strict=True):
        assert grey in [_grey(near) for near in (row - 1, row, row + 1)]


def test_a_view_opens_at_the_whole_log(view: Callable[..., Page]) -> None:
    assert _range(view("")) == (1000, 3999.5)


def test_what_is_drawn_is_what_was_measured(view: Callable[..., Page]) -> None:
    _assert_drawn_as_measured(view())


def test_dragging_pans(view: Callable[..., Page]) -> None:
    page = view()
    box = page.get_by_role("slider").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 400, box["y"] + box["height"] * 0.75)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + box["height"] * 0.25, steps=5)
    page.mouse.up()
    assert _range(page) == pytest.approx((1105.25, 1115.25), abs=0.2)
    _assert_drawn_as_measured(page)


def test_the_wheel_scrolls_through_the_log(view: Callable[..., Page]) -> None:
    page = view()
    page.get_by_role("slider").hover()
    for _ in range(10):
        page.mouse.wheel(0, 300)
    until(page, lambda: _range(page)[0] > 1120)
    low, high = _range(page)
    assert high - low == pytest.approx(10, abs=0.2)
    _assert_drawn_as_measured(page)


def test_control_and_wheel_zoom_about_the_pointer(view: Callable[..., Page]) -> None:
    page = view()
    page.get_by_role("slider").hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, 200)
    page.keyboard.up("Control")
    page.wait_for_url(lambda url: "from=1100&to=1110" not in url)
    low, high = _range(page)
    assert high - low > 15
    assert (low + high) / 2 == pytest.approx(1105, abs=0.5)
    _assert_drawn_as_measured(page)


def test_keys_go_through_the_whole_log(view: Callable[..., Page]) -> None:
    page = view()
    page.get_by_role("slider").focus()
    page.keyboard.press("End")
    assert _range(page)[1] == 3999.5
    _assert_drawn_as_measured(page)
    page.keyboard.press("Home")
    assert _range(page)[0] == 1000
    page.keyboard.press("PageDown")
    page.keyboard.press("-")
    low, high = _range(page)
    assert high - low == pytest.approx(16.3, abs=0.2)
    page.keyboard.press("0")
    assert _range(page) == (1000, 3999.5)


def test_a_press_on_the_overview_goes_there(view: Callable[..., Page]) -> None:
    page = view()
    box = page.get_by_role("slider").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 10, box["y"] + box["height"] / 2)
    low, high = _range(page)
    assert (low + high) / 2 == pytest.approx(2500, abs=10)


def test_typed_depths_are_gone_to(view: Callable[..., Page]) -> None:
    page = view()
    page.get_by_label("From").fill("1102")
    page.keyboard.press("Enter")
    assert _range(page) == (1102, 1110)


def test_another_colour_map_needs_no_other_pixels(view: Callable[..., Page]) -> None:
    page = view()
    canvas = page.get_by_role("slider").element_handle()
    grey = page.evaluate(_GREY_AT, [canvas, 0.5])
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_label("Colours").select_option("gray_r")
    page.wait_for_url("**map=gray_r")
    assert page.evaluate(_GREY_AT, [canvas, 0.5]) == 255 - grey
    assert [url for url in asked if "/api/" in url] == []


def test_the_depth_and_value_under_the_pointer_are_told(view: Callable[..., Page]) -> None:
    page = view()
    page.get_by_role("slider").hover()
    expect(page.locator("output")).to_have_text(re.compile(r"depth 110[45]\.\d, column \d+, value \d+"))
    depth, value = re.findall(r"(?:depth|value) ([\d.]+)", page.inner_text("output"))
    assert int(value) == _grey(_row_at(float(depth)))


def test_the_link_reopens_exactly_this_view(view: Callable[..., Page], visit: Visit) -> None:
    page = view("?from=1203.25&to=1217.5&map=viridis_r", anew=True)
    page.get_by_role("slider").press("ArrowDown")
    _await_tiles(page)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.url
    again = visit(link)
    _await_tiles(again)
    drawn = "document.querySelector('canvas').toDataURL()"
    assert _range(again) == _range(page)
    assert again.evaluate(drawn) == page.evaluate(drawn)


def test_the_link_is_copied_where_a_page_has_no_clipboard(view: Callable[..., Page]) -> None:
    """So it is without TLS, by any other name than localhost."""
    page = view("?from=1203.25&to=1217.5", anew=True)
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link = page.url
    page.get_by_role("link", name="Pictures").click()
    page.get_by_role("searchbox").press("Control+V")
    expect(page.get_by_role("searchbox")).to_have_value(link)


def test_azimuth_is_written_over_the_log_and_told(view: Callable[..., Page]) -> None:
    page = view()
    page.get_by_label("Across").select_option("compass")
    expect(page.locator(".marks span")).to_have_text(["N", "E", "S", "W", "N"])
    page.get_by_role("slider").hover()
    expect(page.locator("output")).to_have_text(
        re.compile(r"depth 110[45]\.\d, azimuth 1[4-6]\d°, value \d+")
    )
    page.wait_for_url("**across=compass*")


def test_a_true_scale_is_gone_to_and_told(view: Callable[..., Page]) -> None:
    page = view()
    page.get_by_label("Scale").select_option("50")
    low, high = _range(page)
    box = page.get_by_role("slider").bounding_box()
    assert box is not None
    metres_on_paper = box["height"] * 0.0254 / 96
    assert (high - low + STEP) / metres_on_paper == pytest.approx(50, rel=0.01)
    expect(page.get_by_label("Scale").locator("option").first).to_have_text("1:50")


def test_the_tape_measures_and_does_not_move_the_log(view: Callable[..., Page]) -> None:
    page = view()
    before = _range(page)
    page.get_by_label("Tape").check()
    box = page.get_by_role("slider").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 400, box["y"] + box["height"] * 0.25)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + box["height"] * 0.75, steps=5)
    page.mouse.up()
    measured = re.compile(r"^([\d.]+) +from ([\d.]+) to ([\d.]+)")
    expect(page.locator("output")).to_have_text(measured)
    told = measured.match(page.inner_text("output"))
    assert told is not None
    assert float(told[1]) == pytest.approx((before[1] - before[0] + STEP) / 2, abs=0.2)
    assert _range(page) == before
    assert axe_faults(page) == []


@pytest.fixture(scope="module")
def feet(server: Server) -> str:
    """Store a log of true values, in feet, with a hole; return its address."""
    cells = (
        f"{900 + row},{-999.25 if row == 50 else 10 + row * 0.1:.6},{10 + row * 0.1:.6}" for row in range(100)
    )
    files = {"file": ("f.csv", ("depth,a,b\n" + "\n".join(cells)).encode())}
    form = {"log": "feet", "scale": "0:100", "null": "-999.25", "depth_unit": "ft"}
    answer = requests.post(f"{server.url}/api/frames", files=files, data=form, timeout=30)
    assert answer.ok, answer.text
    return f"{server.url}/#/logs/feet"


def test_true_values_holes_and_units_are_told(feet: str, visit: Visit) -> None:
    page = visit(f"{feet}?from=946&to=954", tolerated="Canvas2D")
    _await_tiles(page)
    box = page.get_by_role("slider").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 118 + (box["width"] - 118) * 0.75, box["y"] + box["height"] * 0.5)
    expect(page.locator("output")).to_have_text(
        re.compile(r"depth 950 ft, column \d+, value (14\.9|15|15\.\d+)$")
    )
    page.mouse.move(box["x"] + 118 + (box["width"] - 118) * 0.25, box["y"] + box["height"] * 0.5)
    expect(page.locator("output")).to_have_text(re.compile("a hole$"))
    page.get_by_label("Unit").select_option("m")
    _await_tiles(page)
    low, high = _range(page)
    assert low == pytest.approx(946 * 0.3048, abs=0.01)
    assert high == pytest.approx(954 * 0.3048, abs=0.01)


def test_a_hostile_unit_of_values_stays_text(server: Server, visit: Visit) -> None:
    unit = "<img src=x onerror=alert(1)>"
    files = {"file": ("u.csv", b"depth,a\n1,2\n2,3\n3,4\n")}
    form = {"log": "hostile unit", "scale": "0:100", "value_unit": unit}
    answer = requests.post(f"{server.url}/api/frames", files=files, data=form, timeout=60)
    assert answer.ok, answer.text
    page = visit(f"{server.url}/#/logs/hostile%20unit", tolerated="Canvas2D")
    _await_tiles(page)
    expect(page.locator(".legend")).to_have_text(f"0100 {unit}")
    page.get_by_role("slider").hover()
    expect(page.locator("output")).to_contain_text(unit)


def test_contrast_stretches_what_is_drawn_and_not_what_is_told(
    view: Callable[..., Page], feet: str, visit: Visit
) -> None:
    page = visit(f"{feet}?from=900&to=999&map=gray", tolerated="Canvas2D")
    _await_tiles(page)
    canvas = page.get_by_role("slider").element_handle()
    assert 40 < page.evaluate(_GREY_AT, [canvas, 0.9]) < 60
    page.get_by_label("Contrast").select_option("linear")
    page.get_by_label("Percentiles").fill("1,99")
    page.keyboard.press("Enter")
    _await_tiles(page)
    assert page.evaluate(_GREY_AT, [canvas, 0.9]) > 200
    page.get_by_role("slider").hover()
    expect(page.locator("output")).to_have_text(re.compile(r"value (≈ )?1[45]"))
    page.wait_for_url("**contrast=linear*percentiles=1*")
    assert axe_faults(page) == []


_PAINTED = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, canvas.height - 1, canvas.width, 1);
  return Array.from({length: canvas.width}, (_, n) => n).filter(n => data[4 * n + 3]);
}"""


def test_the_histogram_shows_which_greys_there_are(feet: str, visit: Visit) -> None:
    page = visit(feet, tolerated="Canvas2D")
    _await_tiles(page)
    histogram = page.get_by_role("img", name="How often each grey is there")
    greys = [round((10 + row * 0.1) / 100 * 255) >> 2 for row in range(100)]
    painted = histogram.evaluate(_PAINTED)
    assert painted[0] in (0, min(greys))  # the hole is no grey, whatever is stored there
    assert [n for n in painted if n] == sorted(set(greys))


def test_contrast_is_within_a_window_where_one_is_given(view: Callable[..., Page]) -> None:
    page = view()
    expect(page.get_by_label("Window")).to_be_hidden()
    expect(page.get_by_label("Percentiles")).to_be_hidden()
    page.get_by_label("Contrast").select_option("equalize")
    expect(page.get_by_label("Percentiles")).to_be_hidden()
    with page.expect_request(re.compile("contrast=equalize&.*window=5(&|$)")):
        page.get_by_label("Window").fill("5")
        page.keyboard.press("Enter")
    _await_tiles(page)
    page.wait_for_url("**window=5*")
    page.reload()
    expect(page.get_by_label("Window")).to_have_value("5")


def test_a_figure_is_drawn_or_told_why_not(view: Callable[..., Page]) -> None:
    page = view(tolerated=REFUSAL)
    figures = find_spec("matplotlib") is not None
    if figures:
        with page.expect_download() as download:
            page.get_by_role("button", name="Figure").click()
        assert download.value.suggested_filename == "grey.pdf"
    else:
        page.get_by_role("button", name="Figure").click()
        expect(page.locator("output")).to_contain_text("figures")


def test_two_logs_stand_side_by_side_on_one_depth(view: Callable[..., Page], server: Server) -> None:
    lines = "\n".join(f"{1090 + row * 0.25},200" for row in range(100))
    files = {"file": ("b.csv", f"depth,a\n{lines}\n".encode())}
    assert requests.post(f"{server.url}/api/frames", files=files, data={"log": "neighbour"}, timeout=30).ok
    page = view()
    page.get_by_label("Beside it").select_option("neighbour")
    expect(page.locator(".heads b")).to_have_text(["grey", "neighbour"])
    _await_tiles(page)
    canvas = page.get_by_role("slider").element_handle()
    right = page.evaluate(_GREY_AT, [canvas, 0.5])  # at 70 % of the width: the second log
    assert right == 200
    page.wait_for_url("**beside=neighbour*")
    page.reload()
    _await_tiles(page)
    expect(page.locator(".heads b")).to_have_text(["grey", "neighbour"])
    assert axe_faults(page) == []


def test_one_finger_scrolls_the_page_and_two_move_the_log(view: Callable[..., Page]) -> None:
    page = view(**PHONE)
    before = _range(page)
    touch(page, [(250, 600)], [(250, 500)], [(250, 400)], [(250, 300)])
    until(page, lambda: page.evaluate("scrollY") > 50)
    assert _range(page) == before
    touch(page, [(220, 500), (280, 500)], [(220, 450), (280, 450)], [(220, 380), (280, 380)])
    until(page, lambda: _range(page)[0] > before[0] + 1)


def test_only_what_is_in_view_is_fetched(log: str, visit: Visit) -> None:
    asked: list[str] = []
    page = visit(log + "?from=2000&to=2100", record=asked.append)
    _await_tiles(page)
    ranges = [parse_qs(urlsplit(url).query) for url in asked if "format=raw" in url]
    near = [one for one in ranges if float(one["depth_max"][0]) - float(one["depth_min"][0]) < 3000]
    assert len(ranges) - len(near) == 1
    assert 1 <= len(near) <= 3
    for one in near:
        assert float(one["depth_min"][0]) <= 2100
        assert float(one["depth_max"][0]) >= 2000


def test_the_range_downloads_as_a_png(view: Callable[..., Page]) -> None:
    page = view()
    link = page.get_by_role("link", name="Download PNG")
    expect(link).to_have_attribute("href", re.compile("depth_min=1100&"))
    with page.expect_download() as download:
        link.click()
    with open(download.value.path(), "rb") as file:
        assert Image.open(io.BytesIO(file.read())).size == (150, 21)


def test_the_viewer_fits_a_phone_and_axe_finds_nothing(view: Callable[..., Page]) -> None:
    page = view(**PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert axe_faults(page) == []
