"""Rows in any order and partly twice come out once and in order, in little memory."""

from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgpipe.depthlogs import sorting
from imgpipe.depthlogs.sorting import Runs, merge
from imgpipe.depthlogs.spacing import median_step
from imgpipe.depthlogs.spool import Spool

finite = st.floats(allow_nan=False, allow_infinity=False)


def sort(folder: Path, parts: list[list[float]], run_bytes: int) -> tuple[list[float], list[int], int]:
    """Return depths and the number of each one's line, and how many runs there were."""
    number = 0
    with Spool(folder, (8, 4)) as spool:
        runs = Runs(spool, 12, run_bytes)
        for part in parts:
            numbers = np.arange(number, number + len(part), dtype=np.uint32)
            runs.add(np.array(part), numbers.view(np.uint8).reshape(-1, 4))
            number += len(part)
        runs.finish()
        merged = list(merge(spool, runs.ends, 12, run_bytes))
    depths = [depth for rows, _ in merged for depth in rows.tolist()]
    return (
        depths,
        [int(line) for _, rows in merged for line in rows.copy().view(np.uint32)[:, 0]],
        len(runs.ends),
    )


@settings(max_examples=100)
@given(st.lists(st.lists(finite | st.sampled_from([1.0, 2.0, 3.0]), min_size=1, max_size=9), min_size=1))
def test_each_depth_comes_once_in_order_from_its_last_line(parts: list[list[float]]) -> None:
    last: dict[float, int] = {}
    for number, depth in enumerate(depth for part in parts for depth in part):
        last[depth] = number
    depths, lines, _ = sort(Path(gettempdir()), parts, 40)
    assert depths == sorted(last)
    assert lines == [last[depth] for depth in sorted(last)]


def test_a_file_in_order_is_one_run_and_one_out_of_order_few(tmp_path: Path) -> None:
    parts = [[float(n), n + 0.5] for n in range(100)]
    assert sort(tmp_path, parts, sorting.RUN_BYTES)[2] == 1
    assert sort(tmp_path, parts[50:] + parts[:50], sorting.RUN_BYTES)[2] == 2
    assert sort(tmp_path, parts[::-1], sorting.RUN_BYTES)[2] <= 2


@given(st.lists(finite, min_size=2, max_size=60, unique=True), st.integers(1, 7))
def test_the_step_is_numpys_median_to_nine_digits(drawn: list[float], size: int) -> None:
    depths = np.array(sorted(drawn)) + 0.0
    depths = np.unique(depths)
    parts = [depths[start : start + size] for start in range(0, len(depths), size)]
    with np.errstate(over="ignore"):
        median = float(np.median(np.diff(depths))) if len(depths) > 1 else np.inf
    expected = float(f"{median:.9g}") if np.isfinite(median) else None
    assert median_step(len(depths), lambda: parts) == expected


def test_one_row_has_no_step() -> None:
    assert median_step(1, lambda: [np.array([1.0])]) is None


@pytest.mark.parametrize("rows", [100_000, 100_001])
def test_the_step_of_a_long_log_is_exact(rows: int) -> None:
    depths = np.cumsum(np.random.default_rng(5).exponential(size=rows))
    parts = [depths[start : start + 4_000] for start in range(0, rows, 4_000)]
    assert median_step(rows, lambda: parts) == float(f"{np.median(np.diff(depths)):.9g}")
