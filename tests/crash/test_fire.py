"""Eight clients use an installation while it is beaten: afterwards the history is one that can be."""

import os
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.crash import figures, fire
from tests.crash.checker import faults

SOAK_S = float(os.environ.get("FIRE_S", "300"))
A_MOMENT_S = 5.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that other users may look into, as PostgreSQL's does."""
    tmp_path.chmod(0o755)
    return tmp_path


def judge(
    installation: AbstractContextManager[fire.Installation], seconds: float, seed: int, about: str
) -> None:
    """Burn for so long, and look whether all that was told is so."""
    with installation as running:
        history = fire.burn(running, seconds, seed)
    wrong = list(faults(history))
    numbers = fire.summary(history)
    figures.add("history", about, **numbers, broken=len(wrong))
    print(f"{numbers}, {fire.unclear(history.deeds)} without a clear answer")
    assert not wrong
    assert history.end.pictures


@pytest.mark.soak
def test_nothing_is_lost_while_processes_are_killed_and_stopped(folder: Path, seed: int) -> None:
    judge(fire.plain(folder), A_MOMENT_S, seed, "processes")


@pytest.mark.soak
@pytest.mark.timeout(SOAK_S + 1800)
def test_nothing_is_lost_under_fire_on_sqlite(folder: Path, seed: int) -> None:
    judge(fire.small(folder, SOAK_S), SOAK_S, seed, "SQLite")


@pytest.mark.soak
@pytest.mark.timeout(SOAK_S + 1800)
def test_nothing_is_lost_under_fire_on_postgresql_with_celery_and_s3(folder: Path, seed: int) -> None:
    judge(fire.large(folder), SOAK_S, seed, "PostgreSQL")
