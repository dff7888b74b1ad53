"""Do the worst to a running installation, one blow after the other; what each breaks it makes whole again."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from random import Random

import psutil
import pytest

from tests.postgres import Postgres
from tests.redis import Redis
from tests.s3 import ObjectServer
from tests.servers import Server
from tests.workers import Worker

Blow = Callable[[Random], object]  # one that stops a process returns its id
PAUSES_S = (0.3, 2.5)
STOPPED_S = (3.5, 5.5)  # past the lease of 3 s
AWAY_S = (0.5, 3.0)
FURTHEST_S = 40


class Nemesis:
    """Draw blows until the time is over, and write each down."""

    def __init__(self, blows: Mapping[str, Blow], seed: int, file: Path) -> None:
        self._blows = blows
        self._draw = Random(seed)
        self._file = file

    def rage(self, seconds: float) -> None:
        """Go on for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            name = self._draw.choice(list(self._blows))
            began = time.monotonic_ns()
            stopped = self._blows[name](self._draw)
            told = {"blow": name, "began": began, "ended": time.monotonic_ns(), "stopped": stopped}
            with self._file.open("a") as file:
                file.write(json.dumps(told) + "\n")
            threading.Event().wait(self._draw.uniform(*PAUSES_S))


def on_server(server: Server) -> dict[str, Blow]:
    """Name what befalls gunicorn."""

    def restart(_: Random) -> None:
        server.stop()
        server.start()

    return {
        "kill a web process": lambda draw: _kill_one(server.workers(), draw),
        "kill the web tree": _kill_all(server),
        "stop a web process": lambda draw: _stop_one(server.workers(), draw),
        "restart the web tree": restart,
    }


def on_worker(worker: Worker) -> dict[str, Blow]:
    """Name what befalls Celery."""
    return {
        "kill a worker process": lambda draw: _kill_one(worker.children(), draw),
        "kill the worker tree": _kill_all(worker),
        "stop a worker process": lambda draw: _stop_one(worker.children(), draw),
    }


def on_postgres(postgres: Postgres) -> dict[str, Blow]:
    """Name what befalls PostgreSQL."""

    def bounce(mode: str) -> Blow:
        def blow(draw: Random) -> None:
            postgres.stop(mode)
            time.sleep(draw.uniform(*AWAY_S))
            postgres.start()

        return blow

    return {"restart PostgreSQL": bounce("fast"), "crash PostgreSQL": bounce("immediate")}


def on_redis(redis: Redis) -> dict[str, Blow]:
    """Name what befalls Redis."""

    def crash(draw: Random) -> None:
        redis.kill()
        time.sleep(draw.uniform(*AWAY_S))
        redis.start()

    return {"crash Redis": crash}


def on_store(store: ObjectServer) -> dict[str, Blow]:
    """Name what befalls the object store."""

    def refuse(draw: Random) -> None:
        with store.refusing():
            time.sleep(draw.uniform(*AWAY_S))

    def fall_silent(draw: Random) -> None:
        with store.silent():
            time.sleep(draw.uniform(*AWAY_S))

    return {"the store refuses": refuse, "the store is silent": fall_silent}


def _kill_one(processes: list[psutil.Process], draw: Random) -> None:
    if processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            draw.choice(processes).kill()


def _kill_all(tree: Server | Worker) -> Blow:
    def blow(_: Random) -> None:
        tree.kill()
        tree.start()

    return blow


def _stop_one(processes: list[psutil.Process], draw: Random) -> int | None:
    """Hold a process longer than its leases last; then it goes on where it was."""
    if processes:
        process = draw.choice(processes)
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGSTOP)
            time.sleep(draw.uniform(*STOPPED_S))
            process.send_signal(signal.SIGCONT)
            return int(process.pid)
    return None


class Clock:
    """The time of day as the processes see it that are started with ``environ``; others' is left alone."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.environ: dict[str, str] = {}
        self.set(0)
        package = find_spec("libfaketime")
        if package is None or package.origin is None:
            pytest.skip("libfaketime is not installed")
        [library] = Path(package.origin).parent.rglob("libfaketime.so.1")
        self.environ = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, seconds: int) -> None:
        """Put the clock forward or back from the true time."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._file)

    def blows(self) -> dict[str, Blow]:
        """Name what befalls the clock."""
        return {"move the clock": lambda draw: self.set(draw.randint(-FURTHEST_S, FURTHEST_S))}


@contextlib.contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[dict[str, Blow]]:
    """Mount a file system of its own, and name what befalls it; where none can be mounted, nothing does."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        yield {}
        return
    if done.returncode:
        yield {}
        return
    try:
        yield {"fill the disk": lambda draw: _fill(folder / "ballast", draw)}
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _fill(ballast: Path, draw: Random) -> None:
    """Take all room, down to the last bytes, for a moment."""
    step = 2**24
    with ballast.open("wb") as file:
        while step >= 4096:
            try:
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, step)
            except OSError:
                step //= 2
    time.sleep(draw.uniform(*AWAY_S))
    ballast.unlink()
