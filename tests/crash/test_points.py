"""A crash between any two system calls, and a power cut there, cost nothing that was answered."""

import os
from pathlib import Path

import pytest

from tests.crash import figures
from tests.crash.acts import ACTS, Act
from tests.crash.points import record, try_all

FEW = int(os.environ.get("CRASH_WORLDS", "3"))


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.name)
@pytest.mark.parametrize(
    ("at_most", "mixtures"), [(FEW, 1), pytest.param(None, 9, marks=pytest.mark.soak)], ids=["some", "all"]
)
@pytest.mark.timeout(1800)
def test_nothing_is_lost_whatever_the_moment(
    act: Act, at_most: int | None, mixtures: int, migrated: Path, place: Path, seed: int
) -> None:
    record(act, place, migrated)
    result = try_all(act, place, seed, mixtures, at_most)
    figures.add(
        "crash points",
        act.name,
        boundaries=result.boundaries,
        worlds=result.worlds if at_most is None else result.judged,
        different_worlds=result.judged,
        broken=len(result.broken),
    )
    print(f"{act.name}: {result}")
    assert not result.broken
    assert result.boundaries > 0
