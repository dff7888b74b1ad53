"""A busy process is killed at any moment, again and again: nothing that it answered is lost."""

from pathlib import Path

import pytest

from tests.crash import figures
from tests.crash.kills import kill_many

WANTED = 3000  # none lost in so many: with 95 % confidence fewer than one in a thousand
AT_ONCE = 300


def test_a_few_kills_lose_nothing(migrated: Path, seed: int) -> None:
    assert not kill_many(5, seed, migrated)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_many_kills_lose_nothing(migrated: Path, seed: int) -> None:
    """Go on where the last run ended, up to the number that is wanted, and beyond it in smaller portions."""
    done = figures.kept("kills", "all").get("kills", 0)
    assert not kill_many(max(AT_ONCE, WANTED - done), seed * WANTED, migrated)
