"""Make pictures that take a while, so that there is a backlog to lose."""

import pytest

from tests.factories import png


@pytest.fixture(scope="session")
def heavy() -> bytes:
    """Return a picture of few bytes and many pixels: uploading it is much quicker than rendering it."""
    return png(3000, 2000)
