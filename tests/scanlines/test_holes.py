"""Resizing around holes against an oracle of fractions: every overlap written down, one pixel at a time."""

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from imgpipe.scanlines import resize
from imgpipe.scanlines.rows import Mask

Line = list[int | None]


def shrink(line: Line, width: int) -> Line:
    """Return the mean under each new pixel, weighted by overlap; None where under half of it has values."""
    size = Fraction(len(line), width)
    shrunk: Line = []
    for place in range(width):
        begin, end = place * size, (place + 1) * size
        weight = total = Fraction(0)
        for n in range(floor(begin), ceil(end)):
            value, overlap = line[n], min(end, Fraction(n + 1)) - max(begin, Fraction(n))
            weight += 0 if value is None else overlap
            total += 0 if value is None else overlap * value
        shrunk.append(None if weight < size / 2 else floor(total / weight + Fraction(1, 2)))
    return shrunk


def told(grey: NDArray[np.uint8], holes: Mask | None) -> list[Line]:
    """Return rows with None for holes, which must be 0 in the grey plane."""
    if holes is None:
        return [list(line) for line in grey.tolist()]
    assert not grey[holes].any()
    return [
        [None if hole else value for value, hole in zip(line, gaps, strict=True)]
        for line, gaps in zip(grey.tolist(), holes.tolist(), strict=True)
    ]


def made(lines: list[Line]) -> tuple[NDArray[np.uint8], Mask]:
    """Return the planes of such rows, with noise where the holes are: it must not show."""
    holes = np.array([[value is None for value in line] for line in lines])
    return np.array([[77 if v is None else v for v in line] for line in lines], np.uint8), holes


@st.composite
def tables(draw: st.DrawFn, rows: int = 3, width: int = 24) -> list[Line]:
    columns = draw(st.integers(1, width))
    value = st.none() | st.integers(0, 255) | st.sampled_from([0, 255])
    line = st.lists(value, min_size=columns, max_size=columns)
    return draw(st.lists(line, min_size=1, max_size=rows))


@given(tables(), st.integers(1, 24))
def test_a_resized_pixel_is_the_mean_of_what_is_there_or_a_hole(lines: list[Line], width: int) -> None:
    expected = [shrink(line, width) for line in lines]
    assert told(*resize.resize_around(*made(lines), width)) == expected


@pytest.mark.parametrize("source_width", [149, 200, 300, 1_000, 9_999])
def test_wide_rows_become_150_as_exactly(source_width: int) -> None:
    rng = np.random.default_rng(source_width)
    values = rng.integers(200, 256, source_width).tolist()
    line: Line = [None if gap else v for v, gap in zip(values, rng.random(source_width) < 0.5, strict=True)]
    assert told(*resize.resize_around(*made([line]))) == [shrink(line, 150)]


def test_half_of_the_width_is_enough() -> None:
    lines: list[Line] = [[10, None, None, None, 20, 30]]
    assert told(*resize.resize_around(*made(lines), 3)) == [[10, None, 25]]


def test_rows_without_holes_are_resized_as_ever() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 200), np.uint8)
    for holes in (None, np.zeros((5, 200), bool)):
        grey, left = resize.resize_around(pixels, holes)
        assert left is None
        assert np.array_equal(grey, resize.resize(pixels))


def test_holes_of_one_row_change_no_other() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 200), np.uint8)
    holes = np.zeros((5, 200), bool)
    holes[2, 20:90] = True
    grey, left = resize.resize_around(pixels, holes)
    others = [0, 1, 3, 4]
    assert np.array_equal(grey[others], resize.resize(pixels)[others])
    assert left is not None
    assert left.any(axis=1).tolist() == [False, False, True, False, False]


@given(tables(rows=20, width=3), st.integers(1, 20), st.sets(st.integers(1, 19)))
def test_averaged_rows_follow_the_same_rule_whatever_the_blocks(
    lines: list[Line], max_rows: int, cuts: set[int]
) -> None:
    grey, holes = made(lines)
    places = sorted(cut for cut in cuts if cut < len(lines))
    parts = zip(np.split(grey, places), np.split(holes, places), strict=True)
    blocks = [(part, gaps if gaps.any() else None) for part, gaps in parts]
    seen = [line for b in resize.average_rows_around(blocks, len(lines), max_rows) for line in shown(*b)]
    columns = [shrink(list(column), min(len(lines), max_rows)) for column in zip(*lines, strict=True)]
    assert seen == [list(line) for line in zip(*columns, strict=True)]


def shown(grey: NDArray[np.uint8], holes: Mask | None) -> list[Line]:
    """Return rows with None for holes, whatever is under them."""
    return told(grey if holes is None else np.where(holes, 0, grey).astype(np.uint8), holes)


def test_rows_that_are_few_enough_pass_as_they_are_with_their_holes() -> None:
    block = made([[1, None], [2, 3]])
    assert next(resize.average_rows_around([block], 2, 2)) is block
