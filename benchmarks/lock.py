"""Measure how long others wait for SQLite's write lock while a log of very many rows is imported.

    python -m benchmarks.lock [ROWS]

The rows have one pixel each, twelve million unless told otherwise, which takes some minutes.
"""

import io
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from benchmarks.apps import fresh_app
from benchmarks.csvs import PIXELS, Csv, blocks
from benchmarks.results import amount, record
from imgpipe.database.sqlitefile import sqlite
from imgpipe.depthlogs import logs

ROWS = int(sys.argv[1]) if sys.argv[1:] else amount(12_000_000, 100_000)
LINES = [b",%d\n" % value for value in PIXELS[:, 0].tolist()]


def main() -> None:
    done = Event()
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(1) as pool:
        app = fresh_app(Path(name))
        waits = pool.submit(_write, Path(name) / "imgpipe.db", done)
        try:
            with app.app_context():
                logs.accept(io.BufferedReader(Csv(blocks(ROWS, b"depth,a\n", LINES))))
        finally:
            done.set()
        record(
            f"longest wait to write, {ROWS:,} one-pixel rows", [max(waits.result())], "s", target=1, less=True
        )


def _write(path: Path, done: Event) -> list[float]:
    """Write nothing, again and again, and return how long each time the lock took."""
    connection = sqlite.connect(path, timeout=300, isolation_level=None)
    waits_s = []
    while not done.is_set():
        began = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("COMMIT")
        waits_s.append(time.perf_counter() - began)
        time.sleep(0.01)
    connection.close()
    return waits_s


if __name__ == "__main__":
    main()
