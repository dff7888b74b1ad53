"""What the benchmarks measured is kept, counted and shown as it was."""

import json
from functools import partial
from pathlib import Path

import pytest

from benchmarks import results
from tests.servers import ROOT


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.setattr(results, "NAME", "results")
    return tmp_path


def test_a_ratio_is_the_median_of_the_rounds_and_not_that_of_the_medians() -> None:
    row = results.record("A", [2, 30, 8], "/s", peer="other", theirs=[1, 10, 2])
    assert (row.ours, row.theirs, row.value) == (8, 2, 3)
    assert (row.least, row.most, row.rounds) == (2, 4, 3)


def test_a_figure_without_a_peer_stands_for_itself() -> None:
    row = results.record("A", [5, 1, 3], "ms")
    assert (row.value, row.theirs, row.least, row.most) == (3, None, 1, 5)


@pytest.mark.parametrize(
    ("less", "target", "lost"), [(False, 2.1, True), (False, 2, False), (True, 1.9, True)]
)
def test_a_loss_is_a_target_that_is_missed_on_its_own_side(less: bool, target: float, lost: bool) -> None:
    row = results.record("A", [2], "ms", target=target, less=less)
    assert row.lost is lost


def test_the_spread_is_told_as_reach_from_the_worst_round_to_the_best() -> None:
    row = results.record("A", [4, 2, 1], "ms", target=2, less=True)
    assert (row.reach, row.spread) == (1, (0.5, 2))


def test_what_has_no_target_is_no_loss() -> None:
    assert not results.record("A", [0.1], "x").lost


def test_contenders_take_turns() -> None:
    said: list[str] = []
    found = results.in_turn({name: partial(said.append, name) for name in "ab"}, 2)
    assert (said, found) == (["a", "b", "b", "a"], {"a": [None, None], "b": [None, None]})


def test_a_benchmark_that_is_run_again_replaces_its_own_rows(folder: Path) -> None:
    for ours in (1, 2):
        results.record("A", [ours], "ms")
        results.record("A", [ours], "ms", peer="other", theirs=[1])
    assert [row.ours for row in results.read()] == [2, 2]
    assert [row["peer"] for row in json.loads((folder / "results.json").read_text())] == ["", "other"]


def test_the_table_has_what_was_lost_in_bold() -> None:
    results.record("A", [1], "/s", peer="other", theirs=[2], target=1)
    results.record("B", [2400, 3600], "/s", peer="other", theirs=[2, 1.5], target=1, by_cpu=1400)
    results.record("C", [3.14159], "ms", target=2, less=True)
    assert results.table(results.read()).splitlines()[2:] == [
        "| A | 1 /s | other 2 | **0.5 x** | at least 1 |",
        "| B | 3,000 /s | other 1.75 | 1,800 x (1,200 to 2,400), 1,400 x | at least 1 |",
        "| C | 3.14 ms |  | **3.14** | at most 2 |",
    ]


def test_the_readme_gets_what_has_a_target_between_its_marks_and_nothing_else_changes() -> None:
    results.record("Kept", [1], "/s", target=2)
    results.record("Left out", [1], "/s")
    text = results.in_readme(results.read(), "before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n")
    assert text.startswith("before\n<!-- bench -->\nMeasured ")
    assert text.endswith("\n</details>\n<!-- /bench -->\nafter\n")
    assert "1 targets, 1 of them missed" in text
    assert "| Kept |" in text
    assert "old" not in text
    assert "Left out" not in text


def test_the_picture_is_a_png(folder: Path) -> None:
    results.record("A", [1], "/s", peer="other", theirs=[2], target=1)
    results.draw(results.read(), folder / "new" / "bars.png")
    assert (folder / "new" / "bars.png").read_bytes().startswith(b"\x89PNG")


def test_make_bench_runs_every_benchmark_there_is() -> None:
    programs = {path.stem for path in (ROOT / "benchmarks").glob("*.py") if "__main__" in path.read_text()}
    makefile = (ROOT / "Makefile").read_text()
    named = next(line for line in makefile.splitlines() if line.startswith("BENCHMARKS = ")).split()[2:]
    assert sorted(named) == sorted(programs - {"results"})
