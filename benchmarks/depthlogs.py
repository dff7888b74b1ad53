"""Measure depth logs end to end: CSV by a form -> committed rows, and frames out of a million.

    python -m benchmarks.depthlogs             the ratios of the README, some minutes
    python -m benchmarks.depthlogs --million   memory and time of imports of up to a million rows

Contenders take turns, so that the ratios hold even where the machine is busy; the figures themselves are this
machine's. An upload is taken by the clock, with the CPU time of both server processes beside it, everything
else by CPU time. Needs requirements-bench.txt.
"""

import base64
import importlib
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from operator import truediv
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

import numpy as np
import requests
from flask import Flask
from PIL import Image
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.apps import asking, fresh_app
from benchmarks.csvs import PIXELS, WIDTH, Csv, blocks
from benchmarks.results import amount, in_turn, record
from imgpipe.depthlogs import logs
from imgpipe.scanlines import colormap, frames, resize
from tests.servers import Server, serving

ROWS, MILLION = amount(100_000, 2_000), amount(1_000_000, 50_000)
TALL, ASKED = amount(50_000, 10_000), amount(15, 2)
SLICE = amount(2_000, 200)  # rows of the usual way, whose time is multiplied
# By name, as `make check` has neither of them installed.
pandas: Any = importlib.import_module("pandas")
matplotlib: Any = importlib.import_module("matplotlib")


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


# The way in


def _report_upload(folder: Path) -> None:
    csv = b"".join(blocks(ROWS))
    print(f"\n{ROWS:,} x {WIDTH + 1} CSV, {len(csv) / 1e6:.0f} MB: from the form to committed rows")
    form = requests.Request("POST", "http://x", files={"file": ("log.csv", csv)}).prepare()
    numbers = count()
    with serving(folder) as server:

        def upload() -> tuple[float, float]:
            request = _compose(server, form, f"log {next(numbers)}")
            spent_s, began = _spent_s(server), time.perf_counter()
            _send(request)
            return time.perf_counter() - began, _spent_s(server) - spent_s

        peers = {"pandas parsing": partial(_both, lambda: pandas.read_csv(io.BytesIO(csv)))}
        if polars := _polars():
            peers["polars parsing"] = partial(_both, lambda: polars.read_csv(io.BytesIO(csv)))
        found = in_turn({"imgpipe": upload} | peers)
    clock = {name: [s for s, _ in taken] for name, taken in found.items()}
    spent = {name: [s for _, s in taken] for name, taken in found.items()}
    title = f"CSV {ROWS:,} x {WIDTH + 1}, form to commit"
    for name in peers:
        record(
            title,
            clock["imgpipe"],
            "s",
            peer=name,
            theirs=clock[name],
            target=1.2 if name == "pandas parsing" else None,  # polars parses on all cores
            less=True,
            by_cpu=median(map(truediv, spent["imgpipe"], spent[name])),
        )
    usual_s = [_timed(lambda: _usual_import(folder)) * ROWS / SLICE for _ in range(2)]
    record(f"{title}, by CPU", spent["imgpipe"][:2], "s", peer="iterrows and ORM", theirs=usual_s, less=True)


def _polars() -> Any:
    try:
        return importlib.import_module("polars")
    except ImportError:
        print("polars is not installed: left out")
        return None


def _both(work: Callable[[], object]) -> tuple[float, float]:
    """Return s by the clock, and s of CPU."""
    began, spent_s = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - spent_s


def _spent_s(server: Server) -> float:
    return sum(sum(worker.cpu_times()[:2]) for worker in server.workers())


def _compose(server: Server, form: requests.PreparedRequest, log: str) -> requests.PreparedRequest:
    """Put a log's name in front of a form: what the client does until the clock starts."""
    body = form.body
    assert isinstance(body, bytes)
    end = body.rindex(b"\r\n--") + 2
    boundary = body[end:].strip().strip(b"-")
    field = b'--%s\r\nContent-Disposition: form-data; name="log"\r\n\r\n%s\r\n' % (boundary, log.encode())
    headers = {"Content-Type": form.headers["Content-Type"]}
    return requests.Request("POST", f"{server.url}/api/frames", headers, data=field + body).prepare()


def _send(request: requests.PreparedRequest) -> None:
    with requests.Session() as session:
        answer = session.send(request, timeout=300)
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
    table = colormap.lut()
    pixels = resize.resize(PIXELS)
    tall = np.tile(pixels, (TALL // len(PIXELS), 1))
    low = 9000 + MILLION / 25

    def ask(rows: int, **query: object) -> Callable[[], bytes]:
        bounds = {"depth_min": low, "depth_max": low + (rows - 1) / 10 + 0.01}
        return asking(app, f"/api/frames?{urlencode(bounds | query)}")

    def averaged() -> bytes:
        return frames.png(np.concatenate([*resize.average_rows([tall], len(tall), 2_000)]), table)

    ask_averaged = ask(TALL, format="png", max_rows=2_000)
    assert ask_averaged() == averaged()
    rows = np.concatenate([*resize.average_rows([tall], len(tall), 2_000)])
    data = pandas.DataFrame(pixels)
    data.insert(0, "depth", low + np.arange(len(pixels)) / 10)
    print(f"\nframes out of {MILLION:,} rows: whole requests in one process, by CPU time")
    compared = partial(_compare, f"{TALL:,} rows as 2,000", ask_averaged)
    compared("averaging, encoding", averaged)
    compared("encoding alone", lambda: frames.png(rows, table))
    _compare(
        "1,000 rows as PNG",
        ask(1_000, format="png"),
        "encoding alone",
        lambda: frames.png(pixels[:1_000], table),
        target=1.5,
    )
    usual = partial(_usual_json, data, low, low + 999.5 / 10)
    taken = in_turn({"ours": partial(_timed, ask(1_000)), "usual": partial(_timed, usual)}, ASKED)
    ours, theirs = ([1 / s for s in times] for times in taken.values())
    peer = "pandas, matplotlib, Pillow"
    record("1,000 JSON frames", ours, "/s of CPU", peer=peer, theirs=theirs, target=10)


def _usual_json(data: Any, low: float, high: float) -> str:
    """Do what most code does: rows out of a data frame, each coloured by matplotlib and saved by Pillow."""
    colour = matplotlib.colormaps["viridis"]
    chosen = data[(data["depth"] >= low) & (data["depth"] <= high)]
    encoded = []
    for depth, row in zip(chosen["depth"], chosen.drop(columns="depth").to_numpy(), strict=True):
        target = io.BytesIO()
        Image.fromarray((colour(row / 255)[None, :, :3] * 255).astype(np.uint8)).save(target, "PNG")
        encoded.append({"depth": depth, "image": base64.b64encode(target.getvalue()).decode()})
    return json.dumps(encoded)


def _compare(
    title: str,
    ours: Callable[[], object],
    peer: str,
    theirs: Callable[[], object],
    target: float | None = None,
) -> None:
    taken = in_turn({"ours": partial(_timed, ours), "theirs": partial(_timed, theirs)}, ASKED)
    record(title, taken["ours"], "s of CPU", peer=peer, theirs=taken["theirs"], target=target, less=True)


# A million rows


def _store_million(folder: Path) -> Flask:
    app = fresh_app(folder)
    with app.app_context():
        logs.accept(io.BufferedReader(Csv(blocks(MILLION))))
    return app


def _report_growth() -> None:
    print("imports, the making of the CSV included: rows, s, MiB at most above the start")
    for rows in (MILLION // 4, MILLION // 2, MILLION):
        command = [sys.executable, "-m", "benchmarks.depthlogs", "--rows", str(rows)]
        print(subprocess.run(command, capture_output=True, text=True, check=True).stdout, end="")


def _import_alone(folder: Path, rows: int) -> str:
    app = fresh_app(folder)
    with app.app_context():
        logs.accept(io.BufferedReader(Csv(blocks(10))), "warm")
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the start
        before = _peak_mib()
        taken_s = _timed(lambda: logs.accept(io.BufferedReader(Csv(blocks(rows)))))
        return f"{rows:12,}{taken_s:8.1f}{_peak_mib() - before:8.0f}"


def _peak_mib() -> float:
    # Linux only. getrusage would not do: a child begins with its parent's peak.
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
