import io
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgpipe.errors import InvalidParameter
from imgpipe.scanlines import figure, frames
from imgpipe.scanlines.colormap import lut
from imgpipe.scanlines.figure import Track
from imgpipe.scanlines.rows import Rows
from imgpipe.scanlines.scale import Scale
from tests.scanlines.logs import make_image

DEPTHS = np.arange(9000, 9010, 0.1)
ROWS = Rows(DEPTHS, make_image(100, 150))
IDENTITY = np.arange(256, dtype=np.uint8)
BOUNDS = (9000.0, 9010.0)


def drawn(*tracks: Track, **options: Any) -> bytes:
    shown = tracks or (Track("well", ROWS, bar=IDENTITY),)
    return figure.draw(shown, lut(), **{"bounds": BOUNDS, "depth_unit": "m", **options})


def opened(picture: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


@pytest.mark.parametrize(("format", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_every_format_is_drawn_with_the_same_bytes_each_time(format: str, magic: bytes) -> None:
    picture = drawn(format=format, title="A well", scale=100)
    assert picture.startswith(magic)
    assert drawn(format=format, title="A well", scale=100) == picture


def test_a_figure_is_true_to_scale() -> None:
    tall, small = opened(drawn(scale=20)), opened(drawn(scale=40))
    # 10 m at 1:20 are 0.5 m, at 1:40 half of that; the margins are the same.
    assert abs((tall.shape[0] - small.shape[0]) - 0.25 / 0.0254 * figure.DOTS_PER_INCH) <= 2


def test_the_colours_of_the_log_stand_in_the_figure_and_the_bar_shows_true_values() -> None:
    even = Rows(DEPTHS, np.full((100, 150), 77, np.uint8))
    picture = opened(drawn(Track("well", even, Scale(0.0, 2_000.0), "ohm.m", IDENTITY)))
    assert (picture == lut()[77]).all(axis=2).mean() > 0.3
    svg = drawn(Track("well", even, Scale(0.0, 2_000.0), "ohm.m", IDENTITY), format="svg").decode()
    assert "ohm.m" in svg
    assert "2000" in svg


def test_a_name_is_drawn_as_it_stands_even_where_it_looks_like_mathematics() -> None:
    svg = drawn(
        Track(r"$\frac{1}{2}$ <&> \undefined{", ROWS, bar=IDENTITY), format="svg", title="$x^$"
    ).decode()
    assert r"$\frac{1}{2}$" in svg
    assert "$x^$" in svg


def test_logs_stand_side_by_side_on_one_axis() -> None:
    one, two = opened(drawn()), opened(drawn(Track("a", ROWS), Track("b", ROWS)))
    assert two.shape[0] == one.shape[0]
    assert two.shape[1] > 1.5 * one.shape[1]


def test_a_figure_that_is_too_tall_is_refused_with_its_height() -> None:
    with pytest.raises(InvalidParameter, match="1:1 the figure is 394 inches tall; 200 are the most"):
        drawn(scale=1)


def test_depths_without_a_unit_have_no_scale() -> None:
    with pytest.raises(InvalidParameter, match="unit"):
        drawn(scale=200, depth_unit=None)
    assert drawn(depth_unit=None).startswith(b"\x89PNG")


@pytest.mark.parametrize("text", ["200", "1:0", "1:-5", "1:1e3", "2:100", "1:", "1:٢", "1:1000000"])
def test_a_scale_is_one_to_a_whole_number(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^scale: "):
        figure.parse_scale(text)
    assert figure.parse_scale("1:200") == 200


def test_without_matplotlib_the_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InvalidParameter, match=r"imgpipe\[figures\]"):
        drawn()


# What becomes of rows


def test_rows_in_a_dot_are_averaged_and_gaps_stay_clear() -> None:
    depths = np.array([0.1, 0.2, 0.6, 5.1])
    rows = Rows(depths, np.array([[10], [21], [30], [40]], np.uint8))
    picture = figure.paint(rows, (0, 6), 6, lut("gray"), None)
    assert picture[..., 0].ravel().tolist() == [20, 0, 0, 0, 0, 40]
    assert picture[..., 3].ravel().tolist() == [255, 0, 0, 0, 0, 255]


def test_rows_farther_apart_than_dots_are_drawn_without_gaps() -> None:
    rows = Rows(np.arange(5.0), np.arange(5, dtype=np.uint8)[:, None])
    picture = figure.paint(rows, (0, 4), 400, lut("gray"), None)
    assert (picture[..., 3] == 255).all()
    assert sorted(set(picture[..., 0].ravel().tolist())) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("null_color", "expected"), [(None, [0, 0, 0, 0]), ((9, 8, 7), [9, 8, 7, 255])])
def test_holes_are_clear_or_as_asked(null_color: frames.Color | None, expected: list[int]) -> None:
    holes = np.array([[True, False]])
    picture = figure.paint(Rows(np.zeros(1), np.zeros((1, 2), np.uint8), holes), (0, 1), 1, lut(), null_color)
    assert picture[0, 0].tolist() == expected
    assert picture[0, 1, 3] == 255


def test_one_row_and_no_height_are_drawn() -> None:
    one = Rows(np.array([5.0]), np.zeros((1, 3), np.uint8))
    assert drawn(Track("one", one), bounds=(5.0, 5.0)).startswith(b"\x89PNG")
