"""Measure what a start takes, and the memory of a worker when it is idle and after many uploads.

    python -m benchmarks.start [UPLOADS]

The import is CPU time, which is its time by the clock where the machine is quiet; the server is by the clock.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.photos import jpeg, photo
from benchmarks.results import ROUNDS, amount, record
from tests.servers import ROOT, Server, serving

UPLOADS = int(sys.argv[1]) if sys.argv[1:] else amount(2_000, 20)
SIZE = (1000, 750)  # px, 200 kB
SETTLE_S = 2
IMPORT = """
import os, time
began = time.process_time()
import wsgi
print(time.process_time() - began, flush=True)
os._exit(0)
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fresh_s = [_first_answer_s(folder / str(number)) for number in range(ROUNDS)]
        record("gunicorn to first 200, empty installation", fresh_s, "s", target=1.5, less=True)
        again_s = [_first_answer_s(folder / "0") for _ in range(ROUNDS)]
        record("gunicorn to first 200, restart", again_s, "s", target=1.5, less=True)
        import_s = [_import_s(folder / "0") for _ in range(ROUNDS)]
        record("import + create_app", import_s, "s of CPU", target=0.65, less=True)
        with serving(folder / "busy") as server:
            _report_memory(server)


def _first_answer_s(folder: Path) -> float:
    began = time.perf_counter()
    with serving(folder):
        return time.perf_counter() - began


def _import_s(folder: Path) -> float:
    environ = {"IMGPIPE_DATA_DIR": str(folder), "IMGPIPE_LOG_LEVEL": "ERROR"}
    command = [sys.executable, "-c", IMPORT]
    child = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    return float(child.stdout)


def _report_memory(server: Server) -> None:
    time.sleep(SETTLE_S)
    idle = _workers_mib(server)
    record("memory of an idle worker", idle, "MiB", target=78, less=True)
    data = jpeg(photo(1, SIZE))
    halves = []
    for _ in range(2):
        server.upload_all(data, UPLOADS // 2)
        server.await_all_done(timeout_s=600)
        time.sleep(SETTLE_S)
        halves.append(_workers_mib(server))
    record(f"memory of a worker after {UPLOADS:,} uploads", halves[1], "MiB", target=108, less=True)
    record("growth in the second half of them", [median(halves[1]) - median(halves[0])], "MiB")


def _workers_mib(server: Server) -> list[float]:
    return [worker.memory_info().rss / 2**20 for worker in server.workers()]


if __name__ == "__main__":
    main()
