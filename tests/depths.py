"""Send depth logs, and work out anew what must come back."""

import io
import math
from functools import cache
from typing import Any

import numpy as np
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image
from werkzeug.test import TestResponse

from tests.factories import post_form
from tests.scanlines.logs import make_image, make_log

ROWS, SOURCE_WIDTH, WIDTH = 5_460, 200, 150
DEPTHS = [float(f"{9000 + n / 10:.1f}") for n in range(1, ROWS + 1)]
IMAGE = make_image(ROWS, SOURCE_WIDTH)


@cache
def borehole() -> bytes:
    """Return a CSV like the real ones: 5,460 rows of 200 pixels, and a last line of empty cells."""
    return make_log(DEPTHS, IMAGE) + b"," * SOURCE_WIDTH + b"\n"


def small(depths: list[float], width: int = 4, seed: int = 1) -> bytes:
    """Return a CSV of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (len(depths), width), dtype=np.uint8)
    return make_log(depths, pixels)


def send(
    client: FlaskClient, csv: bytes, log: str | None = None, path: str = "/api/frames", name: str = "log.csv"
) -> TestResponse:
    """Upload a CSV by a form."""
    return post_form(client, path, {"file": (name, csv)}, **({} if log is None else {"log": log}))


def store(client: FlaskClient, csv: bytes, log: str | None = None) -> dict[str, Any]:
    """Upload a CSV that is fine and return the receipt."""
    response = send(client, csv, log)
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json["data"]  # type: ignore[index]
    return data


def ask(client: FlaskClient, depth_min: object = -1e9, depth_max: object = 1e9, **query: Any) -> TestResponse:
    """Ask for frames."""
    return client.get("/api/frames", query_string={"depth_min": depth_min, "depth_max": depth_max, **query})


def raw(client: FlaskClient, *bounds: object, **query: Any) -> NDArray[np.uint8]:
    """Return the grey pixels of a range."""
    response = ask(client, *bounds, format="raw", **query)
    assert response.status_code == 200, response.text
    return np.frombuffer(response.data, np.uint8).reshape(-1, int(response.headers["X-Frame-Width"]))


def shrunk(pixels: NDArray[np.uint8], width: int = WIDTH) -> NDArray[np.uint8]:
    """Average by area the long way: every pixel repeated until the widths divide; halves are rounded up."""
    common = math.lcm(pixels.shape[1], width)
    parts = pixels.astype(int).repeat(common // pixels.shape[1], axis=1)
    sums = parts.reshape(len(pixels), width, -1).sum(axis=2)
    size = common // width
    return np.asarray((2 * sums + size) // (2 * size), np.uint8)


def opened(picture: bytes) -> NDArray[np.uint8]:
    """Decode a picture to true colour."""
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
