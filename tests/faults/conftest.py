"""Make pictures that take a while, so that there is a backlog to lose; all of this is a system test."""

from pathlib import Path

import pytest

from tests.factories import png


@pytest.fixture(scope="session")
def heavy() -> bytes:
    """Return a picture of few bytes and many pixels: uploading it is much quicker than rendering it."""
    return png(3000, 2000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave these out of the quick tests: each starts servers of its own, and leaves little of them."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.system)
