"""Real numbers: the fast reader against ``float``, against the exact reader, and both against the rules."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imgpipe.errors import InvalidCsv
from imgpipe.scanlines import realcells, reals
from imgpipe.scanlines.faults import Faults
from imgpipe.scanlines.realcells import Rules, Values

REAL = Rules(real=True)
RULES = [REAL, Rules(real=True, missing=True), Rules(nulls=(-999.25, 0.0)), Rules(True, (-999.25,), True)]
SPELLED = (
    st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.floats(0, 1).map(repr)
    | st.floats(-1e5, 1e5).map("{:.4f}".format)
    | st.integers(-(10**20), 10**20).map(str)
    | st.from_regex(r"\A-?[0-9]{0,20}(\.[0-9]{0,20})?\Z")
    | st.sampled_from(
        ["-999.25", "-999.2500", "0", "-0", "-0.0", "007", "1e-5", "+3", "", " 1", '"2.5"', "5."]
    )
)


def exactly(body: bytes, width: int, rules: Rules) -> Values | None:
    """Read as the exact reader does; None where it refuses anything or skips a line."""
    faults = Faults()
    values, blank = realcells.parse_lines(body, 2, ["depth", *"p" * width], rules, faults)
    return None if faults.count or blank else values


def written(lines: list[list[str]]) -> bytes:
    return "".join(f"{n}.5,{','.join(line)}\n" for n, line in enumerate(lines)).encode()


def same(one: Values, other: Values | None) -> bool:
    """Compare to the bit, whatever NaN is made of."""
    return (
        other is not None
        and one.depths.tobytes() == other.depths.tobytes()
        and [list(map(repr, row)) for row in one.values.tolist()]
        == [list(map(repr, row)) for row in other.values.tolist()]
    )


@given(st.lists(st.lists(SPELLED, min_size=3, max_size=3), min_size=1, max_size=6), st.sampled_from(RULES))
@example([["12.5", "1.2.3", "7"]], REAL)
@example([["1.5", "-", "."]], REAL)
@example([["--5", "1-5", "1.-5"]], REAL)
@example([["9007199254740993", "0.1", "99999999999999999999"]], REAL)
def test_the_fast_way_reads_what_the_exact_way_reads_and_nothing_else(
    lines: list[list[str]], rules: Rules
) -> None:
    body = written(lines)
    fast = reals.parse(body, 3, rules)
    assert fast is None or same(fast, exactly(body, 3, rules))


PLAIN = st.decimals(-(10**9), 10**9, places=5) | st.decimals(0, 1, places=17) | st.decimals(0, 255, places=1)


@given(st.lists(st.lists(PLAIN.map("{:f}".format), min_size=4, max_size=4), min_size=1, max_size=6))
def test_plain_numbers_take_the_fast_way_and_are_what_float_reads(lines: list[list[str]]) -> None:
    fast = reals.parse(written(lines), 4, REAL)
    assert fast is not None
    assert [list(map(repr, row)) for row in fast.values.tolist()] == [
        [repr(float(cell) + 0.0) for cell in line] for line in lines
    ]


@pytest.mark.parametrize("form", ["{:.1f}", "{:.3f}", "{:.5f}", "{:.6f}", "{!r}", "{:.0f}"])
def test_many_numbers_of_one_form_are_read_at_once_to_the_last_bit(form: str) -> None:
    numbers = np.random.default_rng(1).normal(100, 70, (40, 50))
    lines = [[form.format(value) for value in row] for row in numbers.tolist()]
    fast = reals.parse(written(lines), 50, REAL)
    assert fast is not None
    assert fast.values.tolist() == [[float(cell) for cell in line] for line in lines]


@given(st.lists(st.decimals(-99_999, 99_999, places=3).map("{:f}".format), min_size=1, max_size=40))
def test_numbers_of_eight_digits_and_a_point_are_read_at_once(cells: list[str]) -> None:
    fast = reals.parse(written([cells]), len(cells), REAL)
    assert fast is not None
    assert [*map(repr, fast.values[0].tolist())] == [repr(float(cell) + 0.0) for cell in cells]


@pytest.mark.parametrize("cell", ["12345x789", "1234.567x", "x234.5678", "12.34.678", "123456789"])
def test_what_looks_like_its_neighbours_and_is_no_number_stops_the_fast_way(cell: str) -> None:
    body = written([["1234.5678", cell, "1234.5678"]])
    fast, exact = reals.parse(body, 3, REAL), exactly(body, 3, REAL)
    assert (fast is None) == (exact is None)
    assert fast is None or same(fast, exact)


def test_numbers_half_way_between_two_doubles_are_rounded_as_float_does() -> None:
    texts = [f"{2**53 + n}.{'5' * k}" for n in range(1, 8) for k in range(3)]
    texts += [f"{(2**60 + 2**8 * n + 128) / 10**9:.9f}" for n in range(9)]
    texts += [f"{Fraction(2**54 + 2 * n + 1, 2).__float__():.1f}" for n in range(9)]
    fast = reals.parse(written([[text] for text in texts]), 1, REAL)
    assert fast is not None
    assert fast.values.ravel().tolist() == list(map(float, texts))


def read(cell: str, rules: Rules) -> float | None:
    """Read a cell both ways."""
    body = written([[cell]])
    slow = exactly(body, 1, rules)
    fast = reals.parse(body, 1, rules)
    assert fast is None or same(fast, slow)
    return None if slow is None else float(slow.values[0, 0])


@pytest.mark.parametrize("cell", ["-999.25", "-999.250", '"-999.25"', " -999.25 ", "-9999", "-9.999e3"])
def test_a_null_is_a_hole_however_it_is_written(cell: str) -> None:
    assert math.isnan(read(cell, Rules(real=True, nulls=(-999.25, -9999.0))) or 0)
    assert math.isnan(read(cell, Rules(nulls=(-999.25, -9999.0))) or 0)


@pytest.mark.parametrize("cell", ["", " ", '""', '" "'])
def test_an_empty_cell_is_a_hole_only_where_that_is_allowed(cell: str) -> None:
    body = f"1,{cell},2\n".encode()
    values = exactly(body, 2, Rules(missing=True))
    assert values is not None
    assert list(map(repr, values.values[0].tolist())) == ["nan", "2.0"]
    assert exactly(body, 2, Rules(real=True, nulls=(0.0,))) is None


def test_a_row_of_a_depth_and_empty_cells_is_a_row_of_holes() -> None:
    values = reals.parse(b"1.5,,\n2.5,1,2\n", 2, Rules(missing=True))
    assert values is not None
    assert np.isnan(values.values).tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize("cell", ["1.5", "256", "-1", "-999.25", "1e9"])
def test_without_a_scale_a_value_is_a_whole_number_up_to_255_or_a_null(cell: str) -> None:
    assert read(cell, Rules(nulls=(-999.0,))) is None


@pytest.mark.parametrize("cell", ["0", "255", "12.0", "1e2"])
def test_whole_numbers_are_fine_without_a_scale(cell: str) -> None:
    assert read(cell, Rules(missing=True)) == float(cell)


@pytest.mark.parametrize(
    "cell", ["nan", "NaN", "inf", "1e400", "1_000", "0x1", "x", "١", "1,5", "1e", "-", "."]
)
def test_what_is_no_finite_number_is_refused(cell: str) -> None:
    assert read(cell, Rules(real=True, missing=True)) is None


def faults_of(body: bytes, rules: Rules) -> list[dict[str, Any]]:
    faults = Faults()
    realcells.parse_lines(body, 2, ["depth", "a", "b"], rules, faults)
    with pytest.raises(InvalidCsv) as refusal:
        faults.refuse()
    errors: list[dict[str, Any]] = refusal.value.details["errors"]
    return errors


def test_a_fault_tells_line_column_and_what_would_be_right() -> None:
    body = b"1,1.5,x\n2,3\nnan,1,2\n"
    assert [tuple(fault.values()) for fault in faults_of(body, Rules(True, (-999.25,), True))] == [
        (2, "b", "x", "a finite number or -999.25 or an empty cell"),
        (3, None, "2 cells", "3 cells"),
        (4, "depth", "nan", "a finite number"),
    ]
    assert faults_of(b"1,1.5,2\n", Rules(missing=True))[0]["expected"] == (
        "a whole number from 0 to 255 or an empty cell"
    )


def test_blank_lines_are_counted_and_not_rows() -> None:
    values, blank = realcells.parse_lines(b"\n1,2,3\n,,\n", 2, ["depth", "a", "b"], REAL, Faults())
    assert (values.depths.tolist(), blank) == ([1.0], 2)


def test_the_depth_is_never_a_hole() -> None:
    rules = Rules(real=True, nulls=(-999.25,), missing=True)
    assert faults_of(b",1,2\n", rules)[0]["column"] == "depth"
    fine = exactly(b"-999.25,1,2\n", 2, rules)
    assert fine is not None
    assert fine.depths.tolist() == [-999.25]
