"""Ten thousand pictures: in by a command that is killed three times, out again beside what tar takes."""

import os
import resource
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from random import Random
from statistics import median

import numpy as np
import psutil
import pytest
import requests
from PIL import Image

from tests.servers import ROOT, Server, serving

pytestmark = [pytest.mark.soak, pytest.mark.timeout(7200)]
COUNT, KILLS, ROUNDS, SEED = 10_000, 3, 5, 20261121
LEAST, MOST = (300, 200), (512, 512)
MOST_MEMORY_BYTES = 150 * 10**6
# Prints the greatest memory of the command itself, as the kernel counts it.
MEASURED = """
import sys
from imgpipe.__main__ import main
try:
    main()
finally:
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print("peak", int(peak.split()[1]) * 1024, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 10,000 different pictures, a text beside every second."""
    folder = tmp_path_factory.mktemp("photos")
    random, draw = np.random.default_rng(SEED), Random(SEED)
    grain = random.integers(0, 256, (400, 400, 3), dtype=np.uint8)
    ground = Image.fromarray(grain).resize((3000, 3000), Image.Resampling.BICUBIC)
    for number in range(COUNT):
        left, top = draw.randrange(3000 - MOST[0]), draw.randrange(3000 - MOST[1])
        width, height = (draw.randrange(*sides) for sides in zip(LEAST, MOST, strict=True))
        path = folder / f"{number % 100:02}" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        ground.crop((left, top, left + width, top + height)).save(path, quality=80)
        if number % 2:
            path.with_suffix(".txt").write_text(f"Number {number}.")
    return folder


@pytest.fixture(scope="module")
def installation(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Return an installation, its server not running, that took them in over three kills."""
    server = Server(tmp_path_factory.mktemp("installation"))
    assert _command(server, "db", "upgrade").wait() == 0
    draw = Random(SEED)
    for kill in range(KILLS):
        until = draw.randrange(COUNT * kill // KILLS, COUNT * (kill + 1) // KILLS)
        process = _command(server, "images", "import", str(photos))
        while server.sql("SELECT count(*) FROM images")[0][0] <= until:
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
        process.wait()
        print(f"killed at {server.sql('SELECT count(*) FROM images')[0][0]:,} pictures")
    assert _command(server, "images", "import", str(photos)).wait() == 0
    return server


def _command(server: Server, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "imgpipe", *arguments],
        cwd=ROOT,
        env=server.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_each_picture_is_in_once_however_often_the_import_was_killed(installation: Server) -> None:
    assert installation.sql("SELECT count(*), count(DISTINCT sha256) FROM images") == [(COUNT, COUNT)]
    assert installation.sql("SELECT DISTINCT status, stage, running FROM images") == [("success", None, 0)]
    thumbnails = "SELECT count(*) AS n FROM thumbnails GROUP BY image_id"
    assert installation.sql(f"SELECT count(*), min(n), max(n) FROM ({thumbnails})") == [(COUNT, 3, 3)]
    assert installation.sql("SELECT sum(total), sum(success), sum(failed) FROM tallies") == [
        (COUNT, COUNT, 0)
    ]
    assert installation.sql("SELECT count(*) FROM images WHERE caption IS NOT NULL") == [(COUNT // 2,)]


@pytest.mark.parametrize("form", ["imagefolder", "sidecar", "webdataset", "jsonl"])
def test_an_export_by_command_takes_little_memory(installation: Server, tmp_path: Path, form: str) -> None:
    arguments = ("images", "export", str(tmp_path / "out"), "--format", form, "--size", "original")
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments],
        cwd=ROOT,
        env=installation.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    peak = int(done.stderr.split()[-1])
    print(f"export of {COUNT:,} as {form}: {peak / 10**6:.0f} MB at most")
    assert peak < MOST_MEMORY_BYTES


def test_an_export_over_http_takes_little_memory_and_at_most_twice_the_work_of_tar(
    installation: Server, tmp_path: Path
) -> None:
    """Times are printed, not judged."""
    with serving(installation.data_dir, WEB_CONCURRENCY="1") as server:
        (worker,) = server.workers()
        for form in ("sidecar", "webdataset", "imagefolder"):
            fetch(server, form, tmp_path / form)
            unpack(tmp_path / form, tmp_path / f"{form}-unpacked")
            rounds = []
            for _ in range(ROUNDS):
                began, before = time.perf_counter(), _cpu_s(worker)
                fetch(server, form, tmp_path / "fetched")
                took = _cpu_s(worker) - before, time.perf_counter() - began
                rounds.append(zip(("CPU", "clock"), took, pack(tmp_path / f"{form}-unpacked"), strict=True))
                os.unlink(tmp_path / "fetched")
            for what, *times in zip(*rounds, strict=True):
                shares = [theirs / ours for _, ours, theirs in (what, *times)]
                middle = f"{median(shares):.0%} ({min(shares):.0%} to {max(shares):.0%}) of tar's speed"
                print(f"export of {COUNT:,} as {form}, {what[0]} {what[1]:.2f} s: {middle}")
        peak = int(Path(f"/proc/{worker.pid}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
    print(f"the server's process: {peak / 10**6:.0f} MB at most")
    assert peak < MOST_MEMORY_BYTES


def fetch(server: Server, form: str, target: Path) -> None:
    with requests.get(f"{server.url}/api/exports?format={form}", stream=True, timeout=600) as answer:
        answer.raise_for_status()
        with target.open("wb") as file:
            for piece in answer.iter_content(2**20):
                file.write(piece)


def unpack(archive: Path, folder: Path) -> None:
    if tarfile.is_tarfile(archive):
        with tarfile.open(archive) as unpacked:
            unpacked.extractall(folder, filter="data")
    else:
        subprocess.run([sys.executable, "-m", "zipfile", "-e", str(archive), str(folder)], check=True)


def pack(folder: Path) -> tuple[float, float]:
    """Return what tar takes to put the files of an export together again: CPU and clock, s."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["tar", "cf", str(folder.with_suffix(".tar")), "-C", str(folder), "."], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    clock_s = time.perf_counter() - began
    os.unlink(folder.with_suffix(".tar"))
    return cpu_s, clock_s


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
