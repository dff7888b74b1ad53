"""Millions of rows of one pixel, over HTTP: in little memory, in nobody's way, all of them or none."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import requests
from flask import Flask
from sqlalchemy import func, select

from imgpipe.database.depthmodels import DepthBlock, DepthLog
from imgpipe.database.engine import JOURNAL_BYTES, reading
from imgpipe.scanlines import csvfile
from tests.depthlogs.test_drafts import counted
from tests.factories import AppFactory, png
from tests.servers import Server, serving

ROWS = 12_000_000
STRETCH = 100_000  # rows
MEMORY = 150 << 20  # above a worker that has done nothing yet, bytes
JOURNAL_MOST = 8 * JOURNAL_BYTES
PAUSE_S = 0.05
PATIENCE_S = 1_500
SOON_S = 60


def write(file: Path, rows: int) -> Path:
    """Write a CSV whose stretches ascend and follow each other downwards, so that it has to be sorted."""
    with file.open("w") as out:
        out.write("depth,p\n")
        for end in range(rows, 0, -STRETCH):
            out.write("".join([f"{depth},{depth % 251}\n" for depth in range(max(0, end - STRETCH), end)]))
    return file


def peak(process: psutil.Process) -> int:
    """Return the most memory that a process has ever held, bytes."""
    return int(Path(f"/proc/{process.pid}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024


def nameless(process: psutil.Process) -> int:
    """Return what a process keeps in files without a name, bytes on disk."""
    total = 0
    for opened in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            if str(opened.readlink()).endswith(" (deleted)"):
                total += opened.stat().st_blocks * 512
    return total


def journal(server: Server) -> int:
    """Return the size of SQLite's write-ahead log, bytes; 0 where there is none."""
    file = server.data_dir / "imgpipe.db-wal"
    return file.stat().st_size if file.exists() else 0


def mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"


@dataclass
class Watch:
    """What was seen while an upload went on."""

    staged: int = 0
    journal: int = 0
    waits_s: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@contextmanager
def watching(server: Server, worker: psutil.Process) -> Iterator[Watch]:
    """Upload a picture every 50 ms for the length of a block, and look at the disk."""
    seen, stop, picture = Watch(), threading.Event(), png(16, 16)

    def upload() -> None:
        with requests.Session() as session:
            while not stop.wait(PAUSE_S):
                began = time.monotonic()
                answer = session.post(
                    f"{server.url}/api/images", files={"file": ("a.png", picture)}, timeout=300
                )
                seen.waits_s.append(time.monotonic() - began)
                if answer.status_code != 202:
                    seen.refused.append(answer.text)

    def look() -> None:
        while not stop.wait(PAUSE_S):
            seen.staged = max(seen.staged, nameless(worker))
            seen.journal = max(seen.journal, journal(server))

    with ThreadPoolExecutor(2) as pool:
        tasks = [pool.submit(upload), pool.submit(look)]
        try:
            yield seen
        finally:
            stop.set()
    for task in tasks:
        task.result()


def send(server: Server, file: Path) -> requests.Response:
    with file.open("rb") as body:
        return requests.post(
            f"{server.url}/api/frames?log=narrow",
            data=body,
            headers={"Content-Type": "text/csv"},
            timeout=PATIENCE_S,
        )


def wait_until(reached: Callable[[], bool]) -> None:
    """Wait for what comes soon after an answer."""
    deadline = time.monotonic() + SOON_S
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(PAUSE_S)


def rows_of(app: Flask) -> int:
    """Count the rows that lie in the database."""
    with app.app_context(), reading() as session:
        return int(session.scalar(select(func.sum(DepthBlock.rows))) or 0)


@pytest.fixture
def app(make_app: AppFactory) -> Flask:
    return make_app()


@pytest.fixture
def server(app: Flask, tmp_path: Path, database_url: str) -> Iterator[Server]:
    del app  # has made its mark on the storage
    with serving(tmp_path, DATABASE_URL=database_url, WEB_CONCURRENCY="1") as server:
        yield server


@pytest.mark.soak
@pytest.mark.timeout(2 * PATIENCE_S)
def test_millions_of_narrow_rows_take_little_memory_and_stop_no_other_writer(
    app: Flask, server: Server, tmp_path: Path
) -> None:
    file = write(tmp_path / "narrow.csv", ROWS)
    (worker,) = server.workers()
    before, began = peak(worker), time.monotonic()
    with watching(server, worker) as seen:
        answer = send(server, file)
    took, above = time.monotonic() - began, peak(worker) - before
    print(
        f"{ROWS:,} rows, {mib(file.stat().st_size)}, in {took:.0f} s: {mib(above)} above {mib(before)}, "
        f"staged {mib(seen.staged)} ({seen.staged / file.stat().st_size:.2f} of the upload), "
        f"WAL up to {mib(seen.journal)}, then {mib(journal(server))}; "
        f"{len(seen.waits_s)} pictures, longest wait {max(seen.waits_s):.2f} s"
    )
    assert (answer.status_code, answer.json()["data"]["rows"]) == (201, ROWS), answer.text
    assert seen.refused == []
    assert above < MEMORY
    assert rows_of(app) == server.get("/api/frames/logs/narrow")["rows"] == ROWS
    asked = {"log": "narrow", "format": "raw", "pixels": "source", "depth_min": str(ROWS - 1000)}
    last = requests.get(f"{server.url}/api/frames", params=asked, timeout=60).content
    assert list(last) == [depth % 251 for depth in range(ROWS - 1000, ROWS)]
    assert seen.journal < JOURNAL_MOST
    wait_until(lambda: bool(server.upload(png(16, 16))) and journal(server) <= JOURNAL_BYTES)
    wait_until(lambda: nameless(worker) == 0)


@pytest.mark.soak
@pytest.mark.timeout(PATIENCE_S)
def test_a_file_of_too_many_rows_is_refused_and_leaves_nothing(
    app: Flask, server: Server, tmp_path: Path
) -> None:
    file = write(tmp_path / "endless.csv", csvfile.ROWS + 1)
    (worker,) = server.workers()
    before = peak(worker)
    with watching(server, worker) as seen:
        answer = send(server, file)
    above = peak(worker) - before
    print(
        f"refused after {csvfile.ROWS:,} rows: {mib(above)} above {mib(before)}, "
        f"staged {seen.staged / file.stat().st_size:.2f} of the upload"
    )
    told = answer.json()
    assert (answer.status_code, told["code"]) == (400, "invalid_csv"), answer.text
    assert told["details"]["errors"][0]["found"] == f"more than {csvfile.ROWS:,} rows"
    assert seen.refused == []
    assert above < MEMORY
    wait_until(lambda: nameless(worker) == 0)
    with app.app_context(), reading() as session:
        assert session.scalar(select(func.count()).select_from(DepthLog)) == 0
        assert counted() == (0, 0, 0)
