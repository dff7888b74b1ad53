"""Choose a seed for what is drawn, which every failure tells; let the soak go on where it was stopped."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from random import randrange

import pytest

from tests.crash.figures import FILE
from tests.crash.points import room
from tests.crash.service import CAPTIONER, Scripted, Service

ENDS = FILE.with_name("soak.json")  # when each long test passed last


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the soak with what has not passed for the longest time."""
    here = Path(__file__).parent
    places = [
        n for n, item in enumerate(items) if item.get_closest_marker("soak") and here in item.path.parents
    ]
    ends = _ends()
    in_turn = sorted((items[n] for n in places), key=lambda item: ends.get(item.nodeid, 0.0))
    for place, item in zip(places, in_turn, strict=True):
        items[place] = item


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note which long test has passed."""
    if report.when == "call" and report.passed and "soak" in report.keywords:
        ENDS.parent.mkdir(exist_ok=True)
        ENDS.write_text(json.dumps(_ends() | {report.nodeid: time.time()}))


def _ends() -> dict[str, float]:
    ends: dict[str, float] = json.loads(ENDS.read_text()) if ENDS.exists() else {}
    return ends


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
