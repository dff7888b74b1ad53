from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgpipe.errors import InvalidParameter
from imgpipe.scanlines import exact, units

UNITS = st.sampled_from(list(units.METRES))
IN_METRES = {"m": "1", "ft": "0.3048", "in": "0.0254", "0.1in": "0.00254"}
WRITTEN = st.decimals(-20_000, 20_000, places=4, allow_nan=False, allow_infinity=False).map(float)
ANY = st.floats(-1e9, 1e9, allow_nan=False) | WRITTEN


def converted(depth: float, unit: str, to: str) -> float:
    """Convert on paper: the decimal that is written, times one definition, divided by the other."""
    return float(Fraction(repr(depth)) * Fraction(IN_METRES[unit]) / Fraction(IN_METRES[to]))


@given(st.lists(ANY, min_size=1, max_size=5), UNITS, UNITS)
def test_a_converted_depth_is_the_double_nearest_to_the_exact_one(
    depths: list[float], unit: str, to: str
) -> None:
    expected = depths if unit == to else [converted(depth, unit, to) for depth in depths]
    assert units.convert(np.array(depths), unit, to).tolist() == expected


def test_a_foot_is_0_3048_metres() -> None:
    assert units.convert(np.array([1.0, 9000.1, 10.1]), "ft", "m").tolist() == [0.3048, 2743.23048, 3.07848]
    assert units.convert(np.array([2743.23048]), "m", "ft").tolist() == [9000.1]
    assert units.convert(np.array([1_080_012.0]), "0.1in", "ft").tolist() == [9000.1]


def test_no_depths_are_converted_to_none() -> None:
    assert units.convert(np.empty(0), "ft", "m").tolist() == []


def test_a_window_is_converted_without_rounding() -> None:
    assert units.convert_span(Fraction("0.3048"), "m", "ft") == 1


@given(WRITTEN, UNITS, UNITS)
def test_what_was_told_can_be_asked_for(depth: float, stored: str, asked: str) -> None:
    told = float(units.convert(np.array([depth]), stored, asked)[0])
    low, high = units.find_bounds(told, told, asked, stored)
    assert low <= depth <= high


@given(WRITTEN, UNITS, UNITS)
def test_the_bounds_are_the_outermost_depths_that_are_told_within_those_asked(
    bound: float, stored: str, asked: str
) -> None:
    low, high = units.find_bounds(bound, bound + 1, asked, stored)
    around = np.array([low, np.nextafter(low, -np.inf), high, np.nextafter(high, np.inf)])
    told = units.convert(around, stored, asked)
    assert [bool(bound <= depth <= bound + 1) for depth in told] == [True, False, True, False]


def test_open_bounds_stay_open() -> None:
    assert units.find_bounds(-np.inf, np.inf, "m", "ft") == (-np.inf, np.inf)


@pytest.mark.parametrize("unit", ["m", "ft", "in", "0.1in"])
def test_every_unit_is_read(unit: str) -> None:
    assert units.parse(unit) == unit


@pytest.mark.parametrize("text", ["", "M", "km", "feet", "0.1 in"])
def test_a_unit_that_the_parameter_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"depth_unit: expected one of m, ft, in, 0\.1in"):
        units.parse(text)


@pytest.mark.parametrize(
    ("spelling", "unit"),
    [("F", "ft"), ("Feet", "ft"), ("M", "m"), ("metres", "m"), ("0.1 in", "0.1in"), (".1IN", "0.1in")],
)
def test_the_spellings_of_files_are_known(spelling: str, unit: str) -> None:
    assert units.recognise(spelling) == unit


def test_a_spelling_of_something_else_is_not_known() -> None:
    assert units.recognise("km") is None
    assert units.recognise("") is None


@pytest.mark.parametrize(
    ("name", "spelling"),
    [
        ("depth[ft]", "ft"),
        ("Depth [0.1in]", "0.1in"),
        ("DEPTH(m)", "m"),
        ("DEPT.M", "M"),
        ("DEPTH.FT", "FT"),
        ("depth", None),
        (" DEPTH ", None),
        ("depth[]", None),
        ("depth[km]", "km"),
    ],
)
def test_the_unit_in_a_header_is_found(name: str, spelling: str | None) -> None:
    assert units.split_header(name) == (spelling,)


@pytest.mark.parametrize("name", ["", "dep", "deep.m", "depths", "time[s]", "DEPT", "col1", "1.5"])
def test_other_names_are_no_depth(name: str) -> None:
    assert units.split_header(name) is None


def test_numbers_of_many_digits_are_not_taken_for_short_decimals() -> None:
    assert exact.scaled(np.array([1 / 3])) is None
    assert exact.scaled(np.array([2.0**60])) is None
    found = exact.scaled(np.array([9000.1, -0.25, 3.0]))
    assert found is not None
    assert (found[0].tolist(), found[1]) == ([900_010, -25, 300], 2)
