"""Measure the service as a client sees it, against the bare core and two naive services that lose their work.

    python -m benchmarks.end_to_end [PHOTO.jpg …]

A real gunicorn with two workers on the disk of the temp folder, every promise of durability kept; the naive
ones have two processes too, and keep none. The client runs on the same machine and takes its share of it.
All do the same batch in turn, round after round; CPU time is that of core or service, without the client.
"""

import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from http.client import HTTPConnection
from operator import truediv
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil
import requests

from benchmarks.photos import jpeg, photo
from benchmarks.results import amount, in_turn, record
from imgpipe.imaging.pipeline import run
from tests.servers import Server, serving

THREADS, CLIENTS, ASKED = 2, 4, amount(30, 3)
POLL_S = 0.1  # an answer costs 2 ms of the same CPU
GUNICORN = "gunicorn -c /dev/null -w 2 --threads 8 -b 127.0.0.1:{port}"
NAIVE = {
    "Flask + pool": f"{GUNICORN} benchmarks.peers.flask_pool:app",
    "FastAPI": "uvicorn --workers 2 --port {port} --no-access-log benchmarks.peers.fastapi_background:app",
}
# Size, px; pictures a round; to be reached: share of the core, times the naive ones, latency of a save.
SIZES = {
    "12 MP": ((4000, 3000), amount(100, 8), 0.70, 1.0, 1.0),
    "200 kB": ((1000, 750), amount(500, 8), 0.65, 1.15, 1.7),
}


class Form(NamedTuple):
    """A form as it is sent, with the address that takes it."""

    url: str
    body: bytes
    headers: dict[str, str]


class Service:
    """A server with the address that takes pictures, and a way to tell how many it has done."""

    def __init__(self, server: Server, path: str, done: Callable[[], int]) -> None:
        self.url, self.done, self._server = f"{server.url}{path}", done, server

    def forms(self, photos: list[bytes]) -> list[Form]:
        """Write the forms once: a client that does so anew for each upload takes 4 ms of the same CPU."""
        written = {id(data): _form(self.url, data) for data in photos}
        return [written[id(data)] for data in photos]

    def take(self, forms: list[Form]) -> None:
        """Send them by some clients, and wait until the last is done."""
        waited_for = self.done() + len(forms)
        with ThreadPoolExecutor(CLIENTS) as clients:
            list(clients.map(_upload, forms))
        while self.done() < waited_for:
            time.sleep(POLL_S)

    def used_s(self) -> float:
        """Return the CPU time of all its processes so far."""
        assert self._server.process is not None
        main = psutil.Process(self._server.process.pid)
        return sum(sum(one.cpu_times()[:2]) for one in [main, *main.children(recursive=True)])


def main() -> None:
    own = [Path(name).read_bytes() for name in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        services = {"imgpipe": running.enter_context(_imgpipe(Path(folder) / "imgpipe"))}
        for name in NAIVE:
            if name != "FastAPI" or _installed("fastapi", "uvicorn", "python_multipart"):
                services[name] = running.enter_context(_naive(name, Path(folder) / name.split()[0]))
            else:
                print(f"{name} is not installed: left out")
        for title, (size, count, *targets) in SIZES.items():
            photos = own or [jpeg(photo(seed, size)) for seed in range(4)]
            batch = [photos[number % len(photos)] for number in range(count)]
            print(
                f"\n{count} JPEGs of {sum(map(len, batch)) / count / 1e6:.2f} MB a round, {CLIENTS} clients"
            )
            _compare("your photos" if own else title, batch, services, targets)
            if own:
                break


def _compare(title: str, batch: list[bytes], services: dict[str, Service], targets: list[float]) -> None:
    share, times, latency = targets
    measures = {"bare core": partial(_through_core, batch)}
    for name, service in services.items():
        forms = service.forms(batch)
        service.take(forms[:8])  # all processes warm
        measures[name] = partial(_through, service, forms)
    found = in_turn(measures)
    rates = {name: [rate for rate, _ in measured] for name, measured in found.items()}
    spent = {name: [cpu_ms for _, cpu_ms in measured] for name, measured in found.items()}
    for name in [name for name in found if name != "imgpipe"]:
        record(
            f"{title}, upload to success",
            rates["imgpipe"],
            "/s",
            peer=name,
            theirs=rates[name],
            target=share if name == "bare core" else times,
            by_cpu=median(map(truediv, spent[name], spent["imgpipe"])),
        )
    if "Flask + pool" in services:
        ours, saving = services["imgpipe"], services["Flask + pool"].url.replace("/upload", "/saved")
        waits = in_turn(
            {
                "imgpipe": partial(_answer_ms, ours, _form(ours.url, batch[0])),
                "save + fsync": partial(_answer_ms, None, _form(saving, batch[0])),
            }
        )
        record(
            f"{title}, upload p50 when idle",
            waits["imgpipe"],
            "ms",
            peer="save + fsync",
            theirs=waits["save + fsync"],
            target=latency,
            less=True,
        )


@contextmanager
def _imgpipe(folder: Path) -> Iterator[Service]:
    with serving(folder) as server:
        yield Service(server, "/api/images", lambda: int(server.get("/api/stats")["success"]))


@contextmanager
def _naive(name: str, folder: Path) -> Iterator[Service]:
    files = folder / "files"
    files.mkdir(parents=True)
    server = Server(folder, NAIVE[name], FOLDER=str(files))
    try:
        yield Service(server.start("/"), "/upload", lambda: len(list(files.glob("*.square"))))
    finally:
        server.kill()


def _installed(*names: str) -> bool:
    return all(importlib.util.find_spec(name) for name in names)


def _through_core(batch: list[bytes]) -> tuple[float, float]:
    """Return pictures a second, and ms of CPU a picture."""
    began, spent_s = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(run, batch))
    return _rates(len(batch), began, time.process_time() - spent_s)


def _through(service: Service, forms: list[Form]) -> tuple[float, float]:
    """Return pictures a second, from the first byte sent to the last success, and ms of CPU a picture."""
    began, spent_s = time.perf_counter(), service.used_s()
    service.take(forms)
    return _rates(len(forms), began, service.used_s() - spent_s)


def _rates(count: int, began: float, spent_s: float) -> tuple[float, float]:
    return count / (time.perf_counter() - began), spent_s * 1000 / count


def _answer_ms(service: Service | None, form: Form) -> float:
    """Return the median time of an answer; the next upload waits until ``service`` is idle again."""
    taken_ms = []
    for _ in range(ASKED):
        done = service.done() if service else 0
        began = time.perf_counter()
        _upload(form)
        taken_ms.append((time.perf_counter() - began) * 1000)
        while service and service.done() == done:
            time.sleep(0.01)
    return median(taken_ms)


def _upload(form: Form) -> None:
    """Send a form by the plainest client there is: a session of requests takes twice its CPU, out of ours."""
    address = urlsplit(form.url)
    connection = HTTPConnection(str(address.hostname), address.port, timeout=60)
    connection.request("POST", address.path, form.body, form.headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status < 300, answer.status


def _form(url: str, data: bytes) -> Form:
    prepared = requests.Request("POST", url, files={"file": ("photo.jpg", data)}).prepare()
    assert isinstance(prepared.body, bytes)
    return Form(url, prepared.body, dict(prepared.headers))


if __name__ == "__main__":
    main()
