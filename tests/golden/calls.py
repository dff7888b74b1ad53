"""Keep answers of old calls byte for byte; ``python -m tests.golden.calls`` writes them anew.

What a client of today saves and compares must not change by what is added beside it. PNG and WebP depend on
the versions of zlib and libwebp: with other ones than those noted, their pixels are compared.
"""

import json
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from flask.testing import FlaskClient
from PIL import features
from werkzeug.test import TestResponse

from imgpipe import create_app
from imgpipe.config import load
from imgpipe.database.schema import upgrade
from tests.depths import store
from tests.scanlines.logs import make_image, make_log

FOLDER = Path(__file__).parent / "frames"
NOTE = FOLDER / "made_with.json"
RANGE = "log=golden&depth_min=9000.2&depth_max=9002.1"
STOPS = "0:000000,128:ff0000,255:ffffff"
CALLS = {
    "default.json": f"/api/frames?{RANGE}",
    "gray.json": f"/api/frames?{RANGE}&colormap=gray",
    "stops.json": f"/api/frames?{RANGE}&colormap_stops={STOPS}&format=json&limit=10000",
    "default.png": f"/api/frames?{RANGE}&format=png",
    "gray.png": f"/api/frames?{RANGE}&format=png&colormap=gray",
    "viridis_r.png": f"/api/frames?{RANGE}&format=png&colormap=viridis_r",
    "stops.png": f"/api/frames?{RANGE}&format=png&colormap_stops={STOPS}",
    "averaged.png": f"/api/frames?{RANGE}&format=png&max_rows=7",
    "source.png": f"/api/frames?{RANGE}&format=png&pixels=source",
    "default.webp": f"/api/frames?{RANGE}&format=webp",
    "averaged.webp": f"/api/frames?{RANGE}&format=webp&max_rows=3",
    "default.raw": f"/api/frames?{RANGE}&format=raw",
    "averaged.raw": f"/api/frames?{RANGE}&format=raw&max_rows=7",
    "source.raw": f"/api/frames?{RANGE}&format=raw&pixels=source",
    "older.json": f"/frames?{RANGE}",
    "older_viridis.json": f"/frames?{RANGE}&colormap=viridis",
}


def the_log() -> bytes:
    """Return the CSV that is asked for: 24 rows of 200 pixels, and with them every grey value."""
    depths = [float(f"{9000 + n / 10:.1f}") for n in range(1, 25)]
    pixels = make_image(24, 200, seed=7)
    pixels[5:7] = np.arange(400).reshape(2, 200) % 256
    return make_log(depths, pixels)


def versions() -> dict[str, str | None]:
    """Tell which libraries encode PNG and WebP here."""
    return {"png": zlib.ZLIB_RUNTIME_VERSION, "webp": features.version("webp")}


def describe(response: TestResponse) -> dict[str, str]:
    """Return the headers that a client reads."""
    told = {name: value for name, value in response.headers if name.startswith("X-Frame")}
    return told | {"Content-Type": response.headers["Content-Type"]}


def write(client: FlaskClient) -> None:
    """Make the files of all calls."""
    FOLDER.mkdir(exist_ok=True)
    headers = {}
    for name, call in CALLS.items():
        response = client.get(call)
        assert response.status_code == 200, response.text
        (FOLDER / name).write_bytes(response.data)
        headers[name] = describe(response)
    NOTE.write_text(json.dumps({"versions": versions(), "headers": headers}, indent=1) + "\n")


def known() -> dict[str, Any]:
    """Return what was noted beside the files."""
    noted: dict[str, Any] = json.loads(NOTE.read_text())
    return noted


def main() -> None:
    """Write the files with an app of its own."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(load({"IMGPIPE_DATA_DIR": folder, "IMGPIPE_JOBS": "inline"}))
        with app.app_context():
            upgrade()
        client = app.test_client()
        store(client, the_log(), "golden")
        write(client)


if __name__ == "__main__":
    main()
