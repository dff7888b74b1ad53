"""Measure depth logs end to end: CSV by a form -> committed rows, and frames out of a million.

    python -m benchmarks.depthlogs             the ratios of the README, about two minutes
    python -m benchmarks.depthlogs --million   memory and time of imports of up to a million rows

Contenders take turns, so that the ratios hold even where the machine is busy; the figures themselves are this
machine's. Time is that of the processor: of both server processes where there is a server, whose time by the
clock is told besides. Needs requirements-bench.txt.
"""

import base64
import importlib
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from operator import truediv
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import requests
from flask import Flask
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.apps import fresh_app
from imgpipe.depthlogs import logs
from imgpipe.scanlines import colormap, frames, resize
from tests.scanlines.logs import make_image
from tests.servers import Server, serving

ROWS, WIDTH, MILLION = 100_000, 200, 1_000_000
SLICE = 2_000  # rows of the usual way, whose time is multiplied
ROUNDS = 5
# By name, as `make check` has neither of them installed.
pandas: Any = importlib.import_module("pandas")
matplotlib: Any = importlib.import_module("matplotlib")
PIXELS = make_image(10_000, WIDTH)
LINES = [("," + ",".join(map(str, row)) + "\n").encode() for row in PIXELS.tolist()]
HEADER = ("depth," + ",".join(f"col{n}" for n in range(1, WIDTH + 1)) + "\n").encode()


class Base(DeclarativeBase):
    """Gather the table of the usual way."""


class DepthRow(Base):
    """A depth, as most code would keep it."""

    __tablename__ = "depth_rows"

    depth: Mapped[float] = mapped_column(primary_key=True)
    pixels: Mapped[bytes]
    source: Mapped[bytes]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[1:2] == ["--rows"]:
            print(_import_alone(Path(folder), int(sys.argv[2])))
        elif sys.argv[1:] == ["--million"]:
            _report_growth()
        else:
            _report_upload(Path(folder) / "upload")
            _report_frames(_store_million(Path(folder) / "million"))


def blocks(rows: int) -> Iterator[bytes]:
    """Yield a CSV of 10,000 rows a block, depths from 9000.0 in steps of 0.1."""
    yield HEADER
    for first in range(0, rows, len(LINES)):
        lines = LINES[: rows - first]
        yield b"".join(b"%.1f%s" % (9000 + (first + n) / 10, line) for n, line in enumerate(lines))


class Csv(io.RawIOBase):
    """Make the CSV while it is read, so that it takes no memory."""

    def __init__(self, rows: int) -> None:
        self._blocks, self._block = blocks(rows), io.BytesIO()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not (count := self._block.readinto(buffer)):
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._block = io.BytesIO(block)
        return count


# The way in


def _report_upload(folder: Path) -> None:
    csv = b"".join(blocks(ROWS))
    print(f"\n{ROWS:,} x {WIDTH + 1} CSV, {len(csv) / 1e6:.0f} MB: from the form to committed rows, s of CPU")
    form = requests.Request("POST", "http://x", files={"file": ("log.csv", csv)}).prepare()
    times: dict[str, list[float]] = {"imgpipe over HTTP": [], "pandas.read_csv": [], "the usual way": []}
    clock: dict[str, list[float]] = {"imgpipe, by the clock": [], "pandas, by the clock": []}
    with serving(folder) as server:
        for number in range(ROUNDS):
            spent_s, began = _spent_s(server), time.perf_counter()
            _post(server, form, f"log {number}")
            clock["imgpipe, by the clock"].append(time.perf_counter() - began)
            times["imgpipe over HTTP"].append(_spent_s(server) - spent_s)
            began = time.perf_counter()
            times["pandas.read_csv"].append(_timed(lambda: pandas.read_csv(io.BytesIO(csv))))
            clock["pandas, by the clock"].append(time.perf_counter() - began)
            if number < 2:
                scale = ROWS / SLICE
                times["the usual way"].append(scale * _timed(lambda: _usual_import(folder)))
    _print(times, {"the usual way": f"{SLICE:,} rows measured, scaled"})
    _print(clock)


def _spent_s(server: Server) -> float:
    return sum(sum(worker.cpu_times()[:2]) for worker in server.workers())


def _post(server: Server, form: requests.PreparedRequest, log: str) -> None:
    body = form.body
    assert isinstance(body, bytes)
    end = body.rindex(b"\r\n--") + 2
    boundary = body[end:].strip().strip(b"-")
    field = b'--%s\r\nContent-Disposition: form-data; name="log"\r\n\r\n%s\r\n' % (boundary, log.encode())
    headers = {"Content-Type": form.headers["Content-Type"]}
    answer = requests.post(f"{server.url}/api/frames", data=field + body, headers=headers, timeout=300)
    assert answer.status_code == 201, answer.text


def _usual_import(folder: Path) -> None:
    """Do what most code does: a data frame, iterrows, an ORM object a row."""
    engine = create_engine(f"sqlite:///{folder / 'usual.db'}")
    DepthRow.metadata.drop_all(engine)
    DepthRow.metadata.create_all(engine)
    table = pandas.read_csv(io.BytesIO(b"".join(blocks(SLICE))))
    with Session(engine) as session:
        for _, row in table.iterrows():
            line = Image.fromarray(row.iloc[1:].to_numpy(np.uint8)[None])
            resized = line.resize((resize.WIDTH, 1)).tobytes()
            session.add(DepthRow(depth=float(row["depth"]), pixels=resized, source=line.tobytes()))
        session.commit()
    engine.dispose()


# The way out


def _report_frames(app: Flask) -> None:
    client, table = app.test_client(), colormap.lut()
    pixels = resize.resize(PIXELS)
    tall = np.tile(pixels, (5, 1))
    low = 9000 + 40_000

    def ask(rows: int, **query: object) -> bytes:
        bounds = {"depth_min": low, "depth_max": low + (rows - 1) / 10 + 0.01}
        answer = client.get("/api/frames", query_string=bounds | query)
        assert answer.status_code == 200, answer.text
        return bytes(answer.data)

    def averaged() -> bytes:
        return frames.png(np.concatenate([*resize.average_rows([tall], len(tall), 2_000)]), table)

    assert ask(50_000, format="png", max_rows=2_000) == averaged()
    rows = np.concatenate([*resize.average_rows([tall], len(tall), 2_000)])
    print("\nframes out of a million rows: whole requests in one process, against encoding alone, s of CPU")
    _compare("1,000 rows as PNG", lambda: ask(1_000, format="png"), lambda: frames.png(pixels[:1_000], table))
    _compare("50,000 as 2,000", lambda: ask(50_000, format="png", max_rows=2_000), averaged)
    _compare(
        "(encoding only)", lambda: ask(50_000, format="png", max_rows=2_000), lambda: frames.png(rows, table)
    )
    print("\n1,000 JSON frames: a whole request against the usual colouring and saving alone, s")
    _compare("1,000 as JSON", lambda: ask(1_000), lambda: _usual_json(pixels[:1_000]))


def _usual_json(pixels: NDArray[np.uint8]) -> str:
    colour = matplotlib.colormaps["viridis"]
    encoded = []
    for row in pixels:
        target = io.BytesIO()
        Image.fromarray((colour(row / 255)[None, :, :3] * 255).astype(np.uint8)).save(target, "PNG")
        encoded.append(base64.b64encode(target.getvalue()).decode())
    return json.dumps(encoded)


def _compare(title: str, ours: Callable[[], object], other: Callable[[], object]) -> None:
    times: dict[str, list[float]] = {title: [], "  compared with": []}
    for _ in range(15):
        times[title].append(_timed(ours))
        times["  compared with"].append(_timed(other))
    _print(times)


# A million rows


def _store_million(folder: Path) -> Flask:
    app = fresh_app(folder)
    with app.app_context():
        logs.accept(io.BufferedReader(Csv(MILLION)))
    return app


def _report_growth() -> None:
    print("imports, the making of the CSV included: rows, s, MiB at most above the start")
    for rows in (MILLION // 4, MILLION // 2, MILLION):
        command = [sys.executable, "-m", "benchmarks.depthlogs", "--rows", str(rows)]
        print(subprocess.run(command, capture_output=True, text=True, check=True).stdout, end="")


def _import_alone(folder: Path, rows: int) -> str:
    app = fresh_app(folder)
    with app.app_context():
        logs.accept(io.BufferedReader(Csv(10)), "warm")
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the start
        before = _peak_mib()
        taken_s = _timed(lambda: logs.accept(io.BufferedReader(Csv(rows))))
        return f"{rows:12,}{taken_s:8.1f}{_peak_mib() - before:8.0f}"


def _peak_mib() -> float:
    # Linux only. getrusage would not do: a child begins with its parent's peak.
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _print(times: dict[str, list[float]], remarks: dict[str, str] | None = None) -> None:
    first = next(iter(times.values()))
    for name, taken in times.items():
        ratio = median(map(truediv, taken, first))
        print(f"  {name:24}{median(taken):10.4f}   x{ratio:7.2f}  {(remarks or {}).get(name, '')}")


if __name__ == "__main__":
    main()
