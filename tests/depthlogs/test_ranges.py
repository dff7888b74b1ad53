"""Any range, page by page in either direction, is what a sorted list would give."""

from collections.abc import Iterator
from uuid import uuid4

import numpy as np
import pytest
from flask import Flask
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from imgpipe.depthlogs import logs
from imgpipe.depthlogs.ranges import Interval
from imgpipe.errors import NoFrames
from tests.depthlogs.test_logs import accept
from tests.depths import small

DEPTHS = [n / 4 for n in range(-3_000, 3_000)] + [n * 10.0 for n in range(1_000, 1_400)]
bounds = st.floats(-800, 15_000) | st.sampled_from(DEPTHS)
unhurried = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def name(app: Flask) -> Iterator[str]:
    """Return the name of a log of several uploads, and so of blocks of every size."""
    name = uuid4().hex
    with app.app_context():
        accept(small(DEPTHS[::2]), name)
        accept(small(DEPTHS[1:2_000:2]), name)
        accept(small(DEPTHS[::-1][:900]), name)
        accept(small(DEPTHS[2_001:5_000:2]), name)
        accept(small(DEPTHS[5_001::2]), name)
        yield name


def depths_of(parts: object) -> list[float]:
    return [depth for rows in parts for depth in rows.depths.tolist()]  # type: ignore[attr-defined]


@unhurried
@given(bounds, bounds, st.integers(1, 4_000))
def test_pages_forth_and_back_are_the_range(name: str, one: float, other: float, limit: int) -> None:
    low, high = min(one, other), max(one, other)
    expected = [depth for depth in DEPTHS if low <= depth <= high]
    assume(len(expected) <= 50 * limit)  # thousands of pages of one row would show no more
    interval = Interval(logs.find(name), low, high)
    if not expected:
        with pytest.raises(NoFrames):
            interval.page(limit)
        return
    pages = [interval.page(limit)]
    while pages[-1].next:
        pages.append(interval.page(limit, pages[-1].next))
    assert [depths_of(page.items) for page in pages] == [
        expected[start : start + limit] for start in range(0, len(expected), limit)
    ]
    back = interval.page(limit, pages[-1].previous) if pages[-1].previous else pages[-1]
    assert depths_of(back.items) == depths_of(pages[-2 if len(pages) > 1 else -1].items)


@unhurried
@given(bounds, bounds)
def test_the_rows_of_a_range_come_once_and_are_counted_before(name: str, one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    expected = [depth for depth in DEPTHS if low <= depth <= high]
    interval = Interval(logs.find(name), low, high)
    assert depths_of(interval.blocks()) == expected
    if expected:
        extent = interval.extent
        assert (extent.rows, extent.depth_min, extent.depth_max) == (len(expected), expected[0], expected[-1])
        assert sum(len(rows.grey) for rows in interval.blocks()) == extent.rows


def test_the_histogram_is_that_of_all_rows(name: str) -> None:
    interval = Interval(logs.find(name), -np.inf, np.inf)
    whole = np.concatenate([rows.grey for rows in interval.blocks()])
    assert interval.histogram().tolist() == np.bincount(whole.ravel(), minlength=256).tolist()
