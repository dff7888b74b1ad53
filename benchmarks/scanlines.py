"""Measure depth logs, CSV -> resized rows -> pictures, against the usual ways of doing it.

    python -m benchmarks.scanlines

Contenders take turns, round after round, by CPU time, so that the ratios hold even where the machine is busy;
the figures themselves are this machine's. Needs requirements-bench.txt; what is not installed is left out
with a line.
"""

import base64
import csv
import importlib
import io
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.results import ROUNDS, amount, in_turn, record
from imgpipe.scanlines import colormap, csvfile, frames, resize
from tests.scanlines.logs import Repeated, make_image, make_log

ROWS, WIDTH, MILLION = amount(100_000, 2_000), 200, amount(1_000_000, 20_000)
# Contenders that would take minutes get a part of the file, and their time is multiplied.
SLOW_SHARE = 20


def read_and_resize(data: bytes) -> object:
    """Do what an upload does before the database: block by block, check everything, keep nothing."""
    return sum(len(resize.resize(block.pixels)) for block in csvfile.read(io.BytesIO(data)))


def only_read(data: bytes) -> object:
    return sum(len(block.pixels) for block in csvfile.read(io.BytesIO(data)))


def pandas_reads(data: bytes) -> object:
    """Only parse, and check nothing."""
    return importlib.import_module("pandas").read_csv(io.BytesIO(data))


def polars_reads(data: bytes) -> object:
    """Only parse, on every core, and check nothing but that the cells are numbers."""
    return importlib.import_module("polars").read_csv(io.BytesIO(data))


def csv_and_int(data: bytes) -> object:
    lines = csv.reader(io.StringIO(data.decode()))
    next(lines)
    return [(float(depth), bytes(map(int, pixels))) for depth, *pixels in lines]


def iterrows(data: bytes) -> object:
    """Do what most code does: iterate over a data frame and resize row by row."""
    table: Any = importlib.import_module("pandas").read_csv(io.BytesIO(data))
    rows = []
    for _, row in table.iterrows():
        line = Image.fromarray(row.iloc[1:].to_numpy(np.uint8)[None])
        rows.append((float(row["depth"]), line.resize((resize.WIDTH, 1)).tobytes()))
    return rows


def main() -> None:
    if sys.argv[1:] == ["--peak"]:
        print(_read_million())
        return
    _report_million()  # first: a child counts from what its parent had in memory
    _compare_readers()
    _compare_frames()
    _compare_pictures()


def _compare_readers() -> None:
    depths = [f"{9000 + n / 10:.1f}" for n in range(ROWS)]
    data = make_log(depths, np.tile(make_image(ROWS // 10, WIDTH), (10, 1)))
    part = data[: data.index(b"\n", len(data) // SLOW_SHARE) + 1]
    print(f"\n{ROWS:,} x {WIDTH + 1} CSV, {len(data) / 1e6:.0f} MB")
    peers = {"pandas parsing": pandas_reads, "polars parsing": polars_reads}
    quick = _measure({"imgpipe": read_and_resize, "reading alone": only_read} | peers, data)
    slow = _measure({"csv and int": csv_and_int, "iterrows": iterrows}, part, rounds=1)
    title = f"parse and resize {ROWS:,} x {WIDTH + 1}"
    record(f"{title}: only reading", quick["reading alone"], "s of CPU")
    for name in peers.keys() & quick.keys():
        record(title, quick["imgpipe"], "s of CPU", peer=name, theirs=quick[name], target=1, less=True)
    for name, taken in slow.items():
        scaled = [one * len(data) / len(part) for one in taken]
        record(title, quick["imgpipe"][:1], "s of CPU", peer=name, theirs=scaled, less=True)


def _compare_frames() -> None:
    print("\n1,000 rows of 150 as JSON frames")
    pixels = resize.resize(make_image(1_000, WIDTH))
    _compare(
        "colour and encode 1,000 rows as JSON", {"imgpipe": _json, "matplotlib, Pillow": _usual_json}, pixels
    )


def _json(pixels: NDArray[np.uint8]) -> str:
    return json.dumps([base64.b64encode(row).decode() for row in frames.row_pngs(pixels, colormap.lut())])


def _usual_json(pixels: NDArray[np.uint8]) -> str:
    colour: Any = importlib.import_module("matplotlib").colormaps["viridis"]
    encoded = []
    for row in pixels:
        target = io.BytesIO()
        Image.fromarray((colour(row / 255)[None, :, :3] * 255).astype(np.uint8)).save(target, "PNG")
        encoded.append(base64.b64encode(target.getvalue()).decode())
    return json.dumps(encoded)


def _compare_pictures() -> None:
    pixels, table = resize.resize(make_image(5_460, WIDTH)), colormap.lut()
    tall = np.tile(pixels, (10, 1))[:50_000]
    print("\n5,460 rows of 150 as one picture; 50,000 averaged to 2,000")
    makers: dict[str, Callable[[NDArray[np.uint8]], bytes]] = {
        "imgpipe": lambda pixels: frames.png(pixels, table),
        "Pillow, palette": lambda pixels: _save(_with_palette(pixels, table), "PNG"),
        "Pillow, RGB": lambda pixels: _save(Image.fromarray(table[pixels]), "PNG"),
        "our WebP": lambda pixels: frames.webp(pixels, table),
    }
    for name, make in makers.items():
        print(f"  {name:20}{len(make(pixels)):9,} bytes")
    _compare("5,460 rows as PNG", makers, pixels)
    taken = _measure({"ours": lambda tall: [*resize.average_rows([tall], len(tall), 2_000)]}, tall)
    record("average 50,000 rows to 2,000", taken["ours"], "s of CPU")


def _with_palette(pixels: NDArray[np.uint8], table: NDArray[np.uint8]) -> Image.Image:
    picture = Image.fromarray(pixels)
    picture.putpalette(table.tobytes())
    return picture


def _save(picture: Image.Image, kind: str) -> bytes:
    target = io.BytesIO()
    picture.save(target, kind)
    return target.getvalue()


def _report_million() -> None:
    child = subprocess.run(
        [sys.executable, "-m", "benchmarks.scanlines", "--peak"], capture_output=True, text=True, check=True
    )
    print(f"\nStreamed and resized: {child.stdout.strip()}")


def _read_million() -> str:
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    log = make_log(["9000.1"] * 5_000, make_image(5_000, WIDTH))
    header, _, body = log.partition(b"\n")
    stream = Repeated(header + b"\n", body, len(body) * MILLION // 5_000)
    started = time.perf_counter()
    rows = sum(len(resize.resize(block.pixels)) for block in csvfile.read(stream))
    taken_s = time.perf_counter() - started
    peak_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib) / 1024
    return f"peak {peak_mib:.0f} MiB above import, the made rows included; {taken_s:.1f} s for {rows:,} rows"


def _compare(title: str, contenders: Mapping[str, Callable[[Any], object]], given: Any) -> None:
    """Record the first of the contenders against all others."""
    (_, ours), *others = _measure(contenders, given).items()
    for name, theirs in others:
        record(title, ours, "s of CPU", peer=name, theirs=theirs, less=True)


def _measure(
    contenders: Mapping[str, Callable[[Any], object]], given: Any, rounds: int = ROUNDS
) -> dict[str, list[float]]:
    """Return the s of CPU of each contender that is installed, one a round."""
    found = {}
    for name, contender in contenders.items():
        try:
            contender(given)
        except ImportError as missing:
            print(f"  {name}: left out, {missing.name} is not installed")
        else:
            found[name] = partial(_timed, partial(contender, given))
    return in_turn(found, rounds)


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
