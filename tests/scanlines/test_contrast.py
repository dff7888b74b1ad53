"""Contrast against an oracle of plain Python: sorted lists and fractions, one pixel at a time."""

from fractions import Fraction
from itertools import pairwise
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from imgpipe.errors import InvalidParameter
from imgpipe.scanlines import contrast, windows
from imgpipe.scanlines.contrast import Contrast
from imgpipe.scanlines.rows import Mask, Rows

HALF = Fraction(1, 2)
PERCENTILES = [("2", "98"), ("0", "100"), ("0", "0.5"), ("33.3333", "66.6667"), ("50", "51")]


def percentile(values: list[int], percent: Fraction) -> int:
    """Return the least of the values with at least so many percent of all at or below it."""
    return min(v for v in values if Fraction(100 * sum(w <= v for w in values), len(values)) >= percent)


def stretched(value: int, values: list[int], how: Contrast) -> int:
    """Stretch one value among all that are looked at, the long way."""
    if how.kind == "linear":
        low, high = percentile(values, how.low), percentile(values, how.high)
        if low == high:
            return 128
        return max(0, min(255, floor(Fraction(255 * (value - low), high - low) + HALF)))
    least = sum(w == min(values) for w in values)
    if least == len(values):
        return 128
    above = sum(w <= value for w in values) - least
    return floor(Fraction(255 * above, len(values) - least) + HALF)


def solid(grey: NDArray[np.uint8], holes: Mask | None) -> list[int]:
    return [int(v) for v in (grey.ravel() if holes is None else grey[~holes])]


def expect(rows: Rows, looked_at: list[list[int]], how: Contrast) -> list[list[int]]:
    """Return what must become of the rows, each by the values that it is to be compared with."""
    mask = np.zeros(rows.grey.shape, bool) if rows.holes is None else rows.holes
    return [
        [0 if hole else stretched(value, values, how) for value, hole in zip(line, gaps, strict=True)]
        for line, gaps, values in zip(rows.grey.tolist(), mask.tolist(), looked_at, strict=True)
    ]


@st.composite
def pictures(draw: st.DrawFn) -> Rows:
    """Draw rows at ascending depths of one decimal, of many values or few, with holes or without."""
    count, width = draw(st.integers(1, 12)), draw(st.integers(1, 6))
    values = draw(st.sampled_from([st.integers(0, 255), st.integers(100, 103), st.sampled_from([0, 255])]))
    grey = draw(st.lists(values, min_size=count * width, max_size=count * width))
    tenths = draw(st.lists(st.integers(90_000, 90_040), min_size=count, max_size=count, unique=True))
    mask = draw(st.none() | st.lists(st.booleans(), min_size=count * width, max_size=count * width))
    holes = None if mask is None else np.array(mask).reshape(count, width)
    depths = np.array(sorted(tenths)) / 10
    return Rows(depths, np.array(grey, np.uint8).reshape(count, width), holes)


@st.composite
def stretches(draw: st.DrawFn) -> Contrast:
    low, high = draw(st.sampled_from(PERCENTILES))
    return Contrast(draw(st.sampled_from(["linear", "equalize"])), Fraction(low), Fraction(high))


def cut(rows: Rows, cuts: set[int]) -> list[Rows]:
    places = sorted({0, len(rows.depths), *(place for place in cuts if place < len(rows.depths))})
    return [rows.part(a, b) for a, b in pairwise(places)]


def joined(parts: list[Rows]) -> tuple[list[float], list[list[int]]]:
    return [d for part in parts for d in part.depths.tolist()], [r for p in parts for r in p.grey.tolist()]


# Static


@given(pictures(), stretches())
def test_a_static_stretch_is_the_formula_at_every_pixel(rows: Rows, how: Contrast) -> None:
    table = contrast.table(contrast.histogram(rows.grey, rows.holes), how)
    every = solid(rows.grey, rows.holes)
    expected = expect(rows, [every] * len(rows.depths), how)
    assert contrast.apply(rows.grey, rows.holes, table).tolist() == expected


@given(pictures(), st.integers(0, 12))
def test_the_histograms_of_parts_add_up_to_that_of_the_whole(rows: Rows, place: int) -> None:
    parts = [contrast.histogram(part.grey, part.holes) for part in cut(rows, {place})]
    assert sum(parts).tolist() == contrast.histogram(rows.grey, rows.holes).tolist()  # type: ignore[union-attr]


@pytest.mark.parametrize(("one_more", "expected"), [(0, [0, 128, 255]), (1, [128, 128, 128])])
def test_counts_beyond_32_bits_are_as_exact_as_small_ones(one_more: int, expected: list[int]) -> None:
    counts = np.zeros(256, np.int64)
    counts[[10, 20, 30]] = [2 * 10**9, 98 * 10**9, one_more]  # with one more, 10 is a hair under 2 %
    assert contrast.table(counts, Contrast("linear"))[[10, 15, 20]].tolist() == expected


def test_a_log_of_one_value_becomes_the_middle() -> None:
    for kind in ("linear", "equalize"):
        assert contrast.table(contrast.histogram(np.full((3, 4), 7, np.uint8)), Contrast(kind))[7] == 128


def test_the_zeroth_percentile_is_the_least_value_that_occurs() -> None:
    how = Contrast("linear", Fraction(0), Fraction(100))
    table = contrast.table(contrast.histogram(np.array([[50, 60, 70]], np.uint8)), how)
    assert table[[50, 60, 70]].tolist() == [0, 128, 255]


def test_a_log_of_holes_only_stays_empty() -> None:
    grey, holes = np.zeros((2, 3), np.uint8), np.ones((2, 3), bool)
    table = contrast.table(contrast.histogram(grey, holes), Contrast("equalize"))
    assert not contrast.apply(grey, holes, table).any()


# Dynamic


def in_window(rows: Rows, centre: float, window: Fraction) -> list[int]:
    """Return the values of the rows within half a window, by the decimals that the depths are written as."""
    inside = [abs(Fraction(repr(d)) - Fraction(repr(centre))) <= window / 2 for d in rows.depths.tolist()]
    return solid(rows.grey[inside], None if rows.holes is None else rows.holes[inside])


@given(
    pictures(),
    stretches(),
    st.sampled_from(["0.1", "0.2", "0.3", "1", "1.05", "4.0", "100"]).map(Fraction),
    st.sets(st.integers(1, 11)),
    st.integers(0, 11),
    st.integers(0, 11),
)
def test_a_moving_stretch_is_the_formula_of_each_rows_own_window(
    rows: Rows, how: Contrast, window: Fraction, cuts: set[int], one: int, other: int
) -> None:
    first, last = sorted((one % len(rows.depths), other % len(rows.depths)))
    low, high = rows.depths[first], rows.depths[last]
    asked = rows.part(first, last + 1)
    bounds = windows.reach(low, high, window)
    seen = rows.part(*np.searchsorted(rows.depths, [bounds[0], np.nextafter(bounds[1], np.inf)]).tolist())
    got = joined(list(windows.moving(cut(seen, cuts), how, window, low, high)))
    looked_at = [in_window(rows, depth, window) for depth in asked.depths.tolist()]
    assert got == (asked.depths.tolist(), expect(asked, looked_at, how))


def test_both_ends_of_a_window_are_inside_as_the_depths_are_written() -> None:
    depths = np.array([float(f"{9000 + n / 10:.1f}") for n in range(2_000)])
    first, last = windows.find_ends(depths, depths, Fraction("0.5"))
    assert set((last - first)[5:-5].tolist()) == {11}


def test_depths_of_many_digits_have_the_same_ends_as_on_paper() -> None:
    depths = np.cumsum(np.full(300, 1 / 3)) + 1e-11
    half = Fraction(repr(float(depths[7]))) - Fraction(repr(float(depths[4])))
    first, last = windows.find_ends(depths, depths, half)
    written = [Fraction(repr(depth)) for depth in depths.tolist()]
    for place, centre in enumerate(written):
        assert first[place] == sum(depth < centre - half for depth in written)
        assert last[place] == sum(depth <= centre + half for depth in written)


def test_a_window_over_everything_is_the_static_stretch() -> None:
    rng = np.random.default_rng(3)
    rows = Rows(np.arange(3_000) / 10, rng.integers(0, 256, (3_000, 20), np.uint8), None)
    how = Contrast("linear")
    table = contrast.table(contrast.histogram(rows.grey), how)
    parts = list(windows.moving(cut(rows, {700, 1_400, 2_999}), how, Fraction(10_000), 0, 1_000))
    assert joined(parts)[1] == table[rows.grey].tolist()


@pytest.mark.parametrize("kind", ["linear", "equalize"])
def test_rows_that_lie_unevenly_are_stretched_like_one_by_one(kind: str) -> None:
    rng = np.random.default_rng(5)
    gaps = rng.choice([0.1, 0.1, 0.1, 40.0], 6_000, p=[0.4, 0.3, 0.299, 0.001])
    rows = Rows(np.round(np.cumsum(gaps), 1), rng.integers(60, 90, (6_000, 3), np.uint8), None)
    how, window = Contrast(kind), Fraction(30)
    whole = joined(list(windows.moving(cut(rows, set(range(0, 6_000, 450))), how, window, 0, 1e6)))[1]
    for place in [0, 1, 77, 2_999, 3_000, 5_998, 5_999]:
        values = in_window(rows, float(rows.depths[place]), window)
        assert whole[place] == [stretched(value, values, how) for value in rows.grey[place].tolist()]


def test_blocks_without_rows_and_ranges_without_rows_are_fine() -> None:
    empty = Rows(np.empty(0), np.empty((0, 3), np.uint8))
    some = Rows(np.array([5.0]), np.full((1, 3), 9, np.uint8))
    how = Contrast("linear")
    assert joined(list(windows.moving([empty, some, empty], how, Fraction(1), 0, 10))) == ([5.0], [[128] * 3])
    assert list(windows.moving([empty, some], how, Fraction(1), 6, 10)) == []
    assert list(windows.moving([], how, Fraction(1), 6, 10)) == []


# What is sent


def test_the_parameters_are_read_as_the_decimals_that_they_are() -> None:
    assert contrast.parse("linear", "0.5,99.95", "2.50") == Contrast(
        "linear", Fraction(1, 2), Fraction("99.95"), Fraction(5, 2)
    )
    assert contrast.parse("equalize") == Contrast("equalize", Fraction(2), Fraction(98), None)
    assert contrast.parse("none", "2,98", "1") is None
    assert contrast.parse() is None


@pytest.mark.parametrize(
    ("sent", "parameter"),
    [
        (("auto", None, None), "contrast"),
        (("linear", "98,2", None), "percentiles"),
        (("linear", "2,2", None), "percentiles"),
        (("linear", "2", None), "percentiles"),
        (("linear", "-1,98", None), "percentiles"),
        (("linear", "2,100.1", None), "percentiles"),
        (("linear", "nan,98", None), "percentiles"),
        (("linear", "2,٩", None), "percentiles"),
        (("linear", "", None), "percentiles"),
        (("linear", None, "0"), "window"),
        (("linear", None, "-1"), "window"),
        (("linear", None, "nan"), "window"),
        (("linear", None, "1e3"), "window"),
        (("linear", None, "."), "window"),
        (("none", None, "x"), "window"),
    ],
)
def test_a_parameter_that_says_nothing_is_refused_by_name(
    sent: tuple[str, str | None, str | None], parameter: str
) -> None:
    with pytest.raises(InvalidParameter) as refusal:
        contrast.parse(*sent)
    assert refusal.value.details == {"parameter": parameter}


def test_only_a_moving_window_shows_a_fracture_where_the_tool_has_drifted() -> None:
    depths, azimuth = np.arange(2_000) / 100, np.linspace(0, 2 * np.pi, 150, endpoint=False)
    on_fracture = np.zeros((2_000, 150), bool)
    for middle in (3.0, 17.0):
        trace = middle + 0.3 * np.cos(azimuth)
        on_fracture |= np.abs(depths[:, None] - trace) < 0.03
    noise = np.random.default_rng(1).normal(0, 5, on_fracture.shape)
    drift = np.exp(-3 * depths / depths[-1])[:, None]
    grey = ((200 - 60 * on_fracture + noise) * drift).clip(0, 255).astype(np.uint8)
    how = Contrast("linear")
    still = contrast.table(contrast.histogram(grey), how)[grey].astype(int)
    moved = np.array(joined(list(windows.moving([Rows(depths, grey)], how, Fraction(2), 0, 20)))[1])

    def shown(picture: NDArray[np.signedinteger], rows: slice) -> float:
        return float(picture[rows][~on_fracture[rows]].mean() - picture[rows][on_fracture[rows]].mean())

    below = slice(1_650, 1_750)
    assert shown(still, below) < 10
    assert shown(moved, below) > 100
