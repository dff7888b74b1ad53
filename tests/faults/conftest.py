"""Make pictures that take a while, so that there is a backlog to lose; all of this is a system test."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.factories import png
from tests.postgres import Postgres


@pytest.fixture(scope="session")
def heavy() -> bytes:
    """Return a picture of few bytes and many pixels: uploading it is much quicker than rendering it."""
    return png(3000, 2000)


@pytest.fixture
def database(postgres: Postgres, template: str) -> Iterator[str]:
    """Return the name of a database of this test's own."""
    name = f"faults_{uuid4().hex}"
    postgres.create(name, template)
    yield name
    postgres.drop(name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave these out of the quick tests: each starts servers of its own, and leaves little of them."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.system)
