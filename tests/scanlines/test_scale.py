"""Scales against an oracle of fractions of what is written."""

from collections.abc import Iterator
from fractions import Fraction
from math import floor, nan

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imgpipe.errors import InvalidParameter
from imgpipe.scanlines import scale
from imgpipe.scanlines.realcells import Reals
from imgpipe.scanlines.scale import Scale, Wanted
from imgpipe.scanlines.survey import Survey

SHORT = st.decimals(-3000, 3000, places=2).map(float)
ANY = st.floats(-1e6, 1e6, allow_nan=False)


def grey(value: str, low: str, high: str) -> int:
    """Scale on paper."""
    share = (Fraction(value) - Fraction(low)) / (Fraction(high) - Fraction(low))
    return floor(max(Fraction(0), min(Fraction(1), share)) * 255 + Fraction(1, 2))


@given(st.lists(SHORT | ANY, min_size=1, max_size=12), SHORT | ANY, SHORT | ANY)
def test_a_value_becomes_the_grey_of_the_formula_halves_rounded_up(
    values: list[float], one: float, other: float
) -> None:
    low, high = sorted((one, other))
    assume(high - low > max(1e-9 * max(abs(low), abs(high)), 1e-299))
    expected = [grey(repr(value), repr(low), repr(high)) for value in values]
    greys, holes, clipped = scale.between(low, high).to_grey(np.array([values]))
    assert greys.tolist() == [expected]
    assert holes is None
    assert clipped == sum(not low <= value <= high for value in values)


@pytest.mark.parametrize(
    ("value", "bounds", "expected"),
    [(0.15, (0.1, 0.2), 128), (0.1, (0.1, 0.2), 0), (0.2, (0.1, 0.2), 255), (0.7, (0.0, 1.4), 128)],
)
def test_a_half_is_a_half_as_written_though_doubles_lie_beside_it(
    value: float, bounds: tuple[float, float], expected: int
) -> None:
    assert scale.between(*bounds).to_grey(np.array([[value]]))[0].tolist() == [[expected]]


def test_many_values_on_halves_are_as_exact() -> None:
    values = np.arange(0, 5_101).reshape(1, -1) / 10  # 0 to 510 in tenths: every 20th but one is a half
    expected = [[grey(repr(value), "0", "510.0") for value in values[0].tolist()]]
    assert scale.between(0.0, 510.0).to_grey(values)[0].tolist() == expected


def test_holes_stay_holes_and_are_not_clipped() -> None:
    greys, holes, clipped = Scale(0.0, 10.0).to_grey(np.array([[nan, 5.0], [11.0, nan]]))
    assert greys.tolist() == [[0, 128], [255, 0]]
    assert holes is not None
    assert holes.tolist() == [[True, False], [False, True]]
    assert clipped == 1


@given(SHORT | ANY, SHORT | ANY)
def test_true_values_come_back_and_become_the_same_greys_again(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assume(high - low > max(1e-6 * max(abs(low), abs(high)), 1e-299))
    values = scale.between(low, high).to_values()
    span = Fraction(repr(high)) - Fraction(repr(low))
    assert values.tolist() == [float(Fraction(repr(low)) + Fraction(g, 255) * span) for g in range(256)]
    assert scale.between(low, high).to_grey(values[None])[0].tolist() == [list(range(256))]


def test_a_true_value_is_within_half_a_step_of_what_was_measured() -> None:
    values = np.random.default_rng(1).uniform(-50, 2_000, (20, 50))
    chosen = scale.between(-50.0, 2_000.0)
    told = chosen.to_values()[chosen.to_grey(values)[0]]
    assert np.abs(told - values).max() <= 2_050 / 255 / 2 * (1 + 1e-12)


# What is sent


def test_every_form_of_a_scale_is_read() -> None:
    assert scale.parse("0:2000") == Scale(0.0, 2_000.0)
    assert scale.parse("-1.5e2:.5") == Scale(-150.0, 0.5)
    assert scale.parse("auto") == Wanted(Fraction(0), Fraction(100))
    assert scale.parse("p2:p98") == Wanted(Fraction(2), Fraction(98))
    assert scale.parse("p0.5:p99.95") == Wanted(Fraction(1, 2), Fraction("99.95"))


NO_SCALES = (
    "0:1e-301 1 5:5 6:5 nan:1 0:inf 0:1e999 0:1:2 a:b p98:p2 p2:98 p2:p101 AUTO p:p p2.00001:p98 p1.2.3:p9"
)


@pytest.mark.parametrize("text", ["", "1e15:1000000000000001", "-1e308:1e308", *NO_SCALES.split()])
def test_a_scale_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^scale: ") as refusal:
        scale.parse(text)
    assert refusal.value.details == {"parameter": "scale"}


def test_nulls_are_read_each_once() -> None:
    assert scale.parse_nulls("-999.25,-9999, -999.250") == (-999.25, -9999.0)


@pytest.mark.parametrize("text", ["", "nan", "-999.25,", "x", "inf", ",".join(map(str, range(21)))])
def test_nulls_that_are_no_numbers_are_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^null: "):
        scale.parse_nulls(text)


def test_missing_is_allowed_or_not() -> None:
    assert scale.parse_missing("allow")
    assert not scale.parse_missing("refuse")
    with pytest.raises(InvalidParameter, match=r"^missing: "):
        scale.parse_missing("yes")


# What is found


def found(values: list[float], wanted: Wanted, at_once: int = 3) -> Scale:
    survey = Survey(wanted)
    array = np.array(values)

    def look() -> Iterator[Reals]:
        yield from (array[start : start + at_once] for start in range(0, len(array), at_once))

    for some in look():
        survey.add(some)
    return survey.find(look)


def percentile(values: list[float], percent: Fraction) -> float:
    """Return the least of the values with so many percent of all at or below it."""
    return min(v for v in values if Fraction(100 * sum(w <= v for w in values), len(values)) >= percent)


WANTED = [("0", "100"), ("2", "98"), ("0.5", "99.5"), ("33.3333", "66.6667")]


@given(st.lists(SHORT | ANY, min_size=2, max_size=40), st.sampled_from(WANTED), st.lists(st.just(nan)))
def test_a_scale_is_found_exactly(values: list[float], bounds: tuple[str, str], gaps: list[float]) -> None:
    wanted = Wanted(Fraction(bounds[0]), Fraction(bounds[1]))
    low, high = percentile(values, wanted.low), percentile(values, wanted.high)
    assume(high - low > max(1e-9 * max(abs(low), abs(high)), 1e-299))
    assert found(values + gaps, wanted) == Scale(low + 0.0, high + 0.0)


@pytest.mark.parametrize("digits", [0, 2, 16])
def test_a_scale_is_found_exactly_among_a_million_values(digits: int) -> None:
    values = np.round(np.random.default_rng(1).normal(100, 0.5, 1_000_000), digits)
    ordered = np.sort(values)
    expected = Scale(float(ordered[20_000 - 1]), float(ordered[980_000 - 1]))
    assert found(values.tolist(), Wanted(Fraction(2), Fraction(98)), 300_000) == expected


@pytest.mark.parametrize("values", [[], [nan, nan], [5.0, 5.0], [0.0, -0.0]])
def test_where_there_is_no_scale_to_be_found_the_sentence_says_what_to_do(values: list[float]) -> None:
    with pytest.raises(InvalidParameter, match="give MIN:MAX"):
        found(values, Wanted())
