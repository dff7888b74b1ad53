"""The old calls give their old bytes."""

import io
from pathlib import PurePath

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from tests.depths import store
from tests.golden import calls as golden


def decode(picture: bytes) -> bytes:
    with Image.open(io.BytesIO(picture)) as image:
        return np.asarray(image.convert("RGBA")).tobytes()


def test_every_old_call_gives_the_bytes_and_headers_that_it_gave(client: FlaskClient) -> None:
    store(client, golden.the_log(), "golden")
    noted, here = golden.known(), golden.versions()
    changed = []
    for name, call in golden.CALLS.items():
        response, expected = client.get(call), (golden.FOLDER / name).read_bytes()
        kind = PurePath(name).suffix[1:]
        seen = response.data
        if here.get(kind) != noted["versions"].get(kind):
            seen, expected = decode(seen), decode(expected)
        headers = golden.describe(response)
        if seen != expected or headers | noted["headers"][name] != headers:
            changed.append(name)
    assert changed == []


@pytest.mark.parametrize("name", golden.CALLS)
def test_every_call_has_its_file(name: str) -> None:
    assert (golden.FOLDER / name).stat().st_size > 0
