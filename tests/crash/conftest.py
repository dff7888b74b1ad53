"""Choose a seed for what is drawn, which every failure tells."""

import os
from collections.abc import Iterator
from pathlib import Path
from random import randrange

import pytest

from tests.crash.points import room


@pytest.fixture
def seed() -> int:
    """Return ``CRASH_SEED``, or on CI always the same, else another one at every run."""
    given = os.environ.get("CRASH_SEED")
    chosen = int(given) if given else 1 if os.environ.get("CI") == "true" else randrange(10**6)
    print(f"CRASH_SEED={chosen}")
    return chosen


@pytest.fixture
def place() -> Iterator[Path]:
    """Return an empty folder, in memory where there is such a place."""
    with room() as folder:
        yield folder
