"""Whatever is done in whatever order, what the service says and keeps fits together."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.crash import figures
from tests.crash.machine import Use
from tests.crash.service import Service
from tests.postgres import on_postgresql, on_sqlite

WANTED, AT_ONCE = 1000, 50
LONG_S = 4 * 3600  # a thousand ways of fifty steps take about two hours on a quiet machine
soak = pytest.mark.soak


def use(service: Service, examples: int, steps: int, about: str = "all") -> None:
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
    broken = 0
    try:
        run_state_machine_as_test(Bound, settings=chosen)
    except Exception:
        broken = 1
        raise
    finally:  # a run that is stopped has tried what it has tried
        figures.add("state machine", about, examples=Bound.examples, steps=Bound.steps, broken=broken)
        print(f"{Bound.steps} steps")


def use_long(service: Service, about: str) -> None:
    """Try what is left of the soak, or some more if all was tried; a run that is stopped keeps its sums."""
    left = max(AT_ONCE, WANTED - figures.kept("state machine", about).get("examples", 0))
    for tried in range(0, left, AT_ONCE):
        use(service, min(AT_ONCE, left - tried), 50, about)


@on_sqlite
def test_any_order_of_use_on_sqlite(captioned: Service) -> None:
    use(captioned, 30, 30)


@on_postgresql
def test_any_order_of_use_on_postgresql(captioned: Service) -> None:
    use(captioned, 10, 30)


@soak
@on_sqlite
@pytest.mark.timeout(LONG_S)
def test_any_long_order_of_use_on_sqlite(captioned: Service) -> None:
    use_long(captioned, "long on SQLite")


@soak
@on_postgresql
@pytest.mark.timeout(LONG_S)
def test_any_long_order_of_use_on_postgresql(captioned: Service) -> None:
    use_long(captioned, "long on PostgreSQL")
