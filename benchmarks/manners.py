"""Measure an upload as the plain body against one by a form, and how soon a webhook follows success.

    python -m benchmarks.manners

The picture of the uploads has few pixels and 3 MB of comments, so that what is compared is taking it in. The
receiver runs on the same machine; pictures come one after the other, and then all at once.
"""

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles

import psutil
import requests

from benchmarks.photos import jpeg, photo
from benchmarks.results import amount, record
from tests.servers import Server, serving
from tests.webhooks.receiver import SECRET, Receiver, receiving

ROUNDS, UPLOADS, EVENTS, CLIENTS = amount(7, 2), amount(60, 4), amount(150, 4), 4
COMMENTS = b"\xff\xfe\xff\xff" + bytes(65_533)


def main() -> None:
    small = jpeg(photo(1, (320, 240)))
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        compare(server, small[:2] + COMMENTS * 48 + small[2:])
    with tempfile.TemporaryDirectory() as folder, receiving() as receiver:
        options = {"IMGPIPE_WEBHOOK_URL": receiver.url, "IMGPIPE_WEBHOOK_SECRET": SECRET}
        with serving(Path(folder), **options) as server:
            for clients in (1, CLIENTS):
                follow(server, receiver, small, clients)


def compare(server: Server, data: bytes) -> None:
    """Measure the server's CPU of an upload in either way, in turn."""
    url = f"{server.url}/api/images"
    form = requests.Request("POST", url, files={"file": ("photo.jpg", data, "image/jpeg")}).prepare()
    plain = requests.Request("POST", url, data=data, headers={"Content-Type": "image/jpeg"}).prepare()
    measured = [(_cpu_ms(server, form), _cpu_ms(server, plain)) for _ in range(ROUNDS)]
    by_form, by_body = zip(*measured, strict=True)
    title = f"upload of {len(data) / 1e6:.0f} MB as the plain body"
    record(title, by_body, "ms of CPU", peer="by a form", theirs=by_form, target=1, less=True)


def follow(server: Server, receiver: Receiver, data: bytes, clients: int) -> None:
    """Measure how long after success its event was at the receiver."""
    url = f"{server.url}/api/images"
    before = len(receiver.seen)
    arrivals: list[float] = []
    receiver.answer = _noting(arrivals)
    with ThreadPoolExecutor(clients) as pool:
        headers = {"Content-Type": "image/jpeg"}
        list(pool.map(lambda _: requests.post(url, data=data, headers=headers, timeout=60), range(EVENTS)))
    while len(receiver.seen) < before + EVENTS:
        time.sleep(0.05)
    ends = [datetime.fromisoformat(event["data"]["processed_at"]) for _, event in receiver.seen[before:]]
    waits = [then - end.timestamp() for then, end in zip(arrivals, ends, strict=True)]
    title = f"success to the webhook's receiver, {clients} at once"
    record(title, [median(waits)], "s")
    record(f"{title}, p95", [quantiles(waits, n=20)[-1]], "s")


def _noting(arrivals: list[float]) -> Callable[[int], int]:
    def answer(_: int) -> int:
        arrivals.append(datetime.now(UTC).timestamp())
        return 204

    return answer


def _cpu_ms(server: Server, request: requests.PreparedRequest) -> float:
    before = _spent_s(server)
    with requests.Session() as session:
        for _ in range(UPLOADS):
            session.send(request, timeout=60).raise_for_status()
    while server.get("/api/stats")["processing"]:
        time.sleep(0.1)
    return (_spent_s(server) - before) / UPLOADS * 1000


def _spent_s(server: Server) -> float:
    assert server.process is not None
    return sum(
        sum(process.cpu_times()[:2])
        for process in psutil.Process(server.process.pid).children(recursive=True)
    )


if __name__ == "__main__":
    main()
