"""Measure the service as a client sees it, upload to success, against the bare core on two threads.

    python -m benchmarks.end_to_end [PHOTO.jpg …]

A real gunicorn with two workers on the disk of the temp folder, every promise of durability kept; the client
runs on the same machine and takes its share of it. Core and service do the same batch in turn, round after
round, so that the ratio holds even where the machine is busy.
"""

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

import requests

from benchmarks.photos import jpeg, photo
from imgpipe.imaging.pipeline import run
from tests.servers import Server, serving

THREADS, CLIENTS, ROUNDS, PICTURES = 2, 4, 3, 100
POLL_S = 0.1  # an answer costs 2 ms of the same CPU
MP12 = (4000, 3000)


def main() -> None:
    own = [Path(name).read_bytes() for name in sys.argv[1:]]
    photos = own or [jpeg(photo(seed, MP12)) for seed in range(4)]
    batch = [photos[number % len(photos)] for number in range(PICTURES)]
    megabytes = sum(map(len, batch)) / len(batch) / 1e6
    print(f"{PICTURES} JPEGs of {megabytes:.1f} MB a round, {ROUNDS} rounds; pictures a second")
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        forms = {id(data): _form(f"{server.url}/api/images", data) for data in photos}
        sent = [forms[id(data)] for data in batch]
        _through_service(server, sent[:8])  # both workers warm
        rounds = [(_through_core(batch), _through_service(server, sent)) for _ in range(ROUNDS)]
    core, service = (median(rates) for rates in zip(*rounds, strict=True))
    ratio = median(done / bare for bare, done in rounds)
    print(f"  bare core, {THREADS} threads {core:6.1f}")
    print(f"  upload to success    {service:6.1f}   {ratio:.0%} of the core")


def _through_core(batch: list[bytes]) -> float:
    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(run, batch))
    return len(batch) / (time.perf_counter() - began)


def _through_service(server: Server, batch: list[requests.PreparedRequest]) -> float:
    """Return pictures a second, from the first byte sent to the last success."""
    done_before = server.get("/api/stats")["success"]
    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(partial(_upload, f"{server.url}/api/images"), batch))
    while server.get("/api/stats")["success"] < done_before + len(batch):
        time.sleep(POLL_S)
    return len(batch) / (time.perf_counter() - began)


def _upload(url: str, form: requests.PreparedRequest) -> None:
    with requests.Session() as session:
        session.send(form, timeout=60).raise_for_status()


def _form(url: str, data: bytes) -> requests.PreparedRequest:
    """Write the form once: a client that does so anew for each upload takes 4 ms of the same CPU."""
    return requests.Request("POST", url, files={"file": ("photo.jpg", data)}).prepare()


if __name__ == "__main__":
    main()
