"""The dearest answers of depth logs take no more memory than a picture of the largest size."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from imgpipe.scanlines.frames import PIXELS
from tests.scanlines.logs import make_image, make_log
from tests.servers import Server, serving

WIDTH = 10_000
LIMIT = 12 * PIXELS  # bytes: 240 MB


def peak(process: psutil.Process) -> int:
    """Return the most memory that a process has ever held, bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    rows = PIXELS // WIDTH
    csv = make_log([float(depth) for depth in range(rows + 1)], make_image(rows + 1, WIDTH))
    with serving(tmp_path_factory.mktemp("dear"), WEB_CONCURRENCY="1") as server:
        stored = requests.post(f"{server.url}/api/frames", files={"file": ("dear.csv", csv)}, timeout=280)
        assert stored.status_code == 201, stored.text
        yield server


@pytest.mark.soak
@pytest.mark.parametrize("query", [{}, {"colormap": "viridis"}, {"max_rows": "1000"}])
def test_the_dearest_png_takes_a_bounded_memory(server: Server, query: dict[str, str]) -> None:
    server.stop()
    server.start()
    (worker,) = server.workers()
    before = peak(worker)
    asked = {"depth_max": str(PIXELS // WIDTH - 1), "format": "png", "pixels": "source", **query}
    answer = requests.get(f"{server.url}/api/frames", params=asked, timeout=280)
    assert answer.status_code == 200, answer.text
    took = peak(worker) - before
    print(f"{query}: {len(answer.content):,} bytes of PNG, {took / 2**20:.0f} MiB above {before / 2**20:.0f}")
    assert took < LIMIT


@pytest.mark.soak
def test_a_row_more_than_the_dearest_png_is_refused_by_its_parameter(server: Server) -> None:
    asked = {"format": "png", "pixels": "source"}
    answer = requests.get(f"{server.url}/api/frames", params=asked, timeout=280)
    assert (answer.status_code, answer.json()["details"]["parameter"]) == (400, "max_rows")
