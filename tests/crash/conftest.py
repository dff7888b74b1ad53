"""Choose a seed for what is drawn, which every failure tells."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import randrange

import pytest

from tests.crash.points import room
from tests.crash.service import CAPTIONER, Scripted, Service


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


@pytest.fixture
def captioned(place: Path, database_url: str) -> Iterator[Service]:
    """Return a service with the scripted captioner over an empty folder, on either database."""
    (place / "data").mkdir()
    if database_url.startswith("sqlite"):  # where its commits cost nothing
        shutil.copy(database_url.removeprefix("sqlite:///"), place / "data" / "imgpipe.db")
    given = {} if database_url.startswith("sqlite") else {"DATABASE_URL": database_url}
    running = Service(place, {"IMGPIPE_CAPTIONER": CAPTIONER} | given)
    yield running.start()
    Scripted.answers = None
    running.stop()
