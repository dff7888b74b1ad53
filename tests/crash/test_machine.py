"""Whatever is done in whatever order, what the service says and keeps fits together."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.crash import figures
from tests.crash.machine import Use
from tests.crash.service import CAPTIONER, Service
from tests.postgres import on_postgresql, on_sqlite

soak = pytest.mark.soak


@pytest.fixture
def service(place: Path, database_url: str) -> Iterator[Service]:
    """Return a service over an empty folder."""
    (place / "data").mkdir()
    if database_url.startswith("sqlite"):  # where its commits cost nothing
        shutil.copy(database_url.removeprefix("sqlite:///"), place / "data" / "imgpipe.db")
    given = {} if database_url.startswith("sqlite") else {"DATABASE_URL": database_url}
    running = Service(place, {"IMGPIPE_CAPTIONER": CAPTIONER} | given)
    yield running.start()
    running.stop()


def use(service: Service, examples: int, steps: int) -> None:
    """Try so many ways of so many steps."""

    class Bound(Use):
        pass

    Bound.service = service
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    fault = 1
    try:
        run_state_machine_as_test(Bound, settings=chosen)
        fault = 0
    finally:
        figures.add("state machine", "all", examples=examples, steps=Bound.steps, broken=fault)
        print(f"{Bound.steps} steps")


@on_sqlite
def test_any_order_of_use_on_sqlite(service: Service) -> None:
    use(service, 20, 30)


@on_postgresql
def test_any_order_of_use_on_postgresql(service: Service) -> None:
    use(service, 5, 30)


@soak
@on_sqlite
@pytest.mark.timeout(7200)
def test_any_long_order_of_use_on_sqlite(service: Service) -> None:
    use(service, 1000, 50)


@soak
@on_postgresql
@pytest.mark.timeout(7200)
def test_any_long_order_of_use_on_postgresql(service: Service) -> None:
    use(service, 1000, 50)
