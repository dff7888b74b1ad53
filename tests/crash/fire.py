"""Run an installation, clients and a nemesis beside each other, and bring the history in."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.crash import paid
from tests.crash.clients import Client, Shared, understand
from tests.crash.history import Deed, End, History, Recorder, Seen, read
from tests.crash.nemesis import (
    Blow,
    Clock,
    Nemesis,
    on_postgres,
    on_redis,
    on_server,
    on_store,
    on_worker,
    small_disk,
)
from tests.postgres import running as postgres_running
from tests.redis import running as redis_running
from tests.s3 import running as s3_running
from tests.servers import Server, run, serving
from tests.workers import working

CLIENTS = 8
PATIENCE_S = 400
LEASE_S = 3
DISK_BYTES = 256 * 2**20


@dataclass
class Installation:
    """What is used and beaten: ``blows`` by name, ``clock`` if it can be moved."""

    server: Server
    folder: Path
    blows: dict[str, Blow]
    clock: Clock | None = None
    options: Mapping[str, str] = field(default_factory=dict)


def _options(folder: Path, **more: str) -> dict[str, str]:
    return {
        "IMGPIPE_CAPTIONER": paid.CAPTIONER,
        "IMGPIPE_LEASE_S": str(LEASE_S),
        "IMGPIPE_LOG_FORMAT": "json",
        "IMGPIPE_MIN_FREE_BYTES": "0",
        paid.PAYMENTS: str(folder / "payments"),
    } | more


@contextmanager
def plain(folder: Path) -> Iterator[Installation]:
    """Run SQLite and threads, in processes that are killed and stopped."""
    options = _options(folder)
    with serving(folder / "data", **options) as server:
        blows = {name: blow for name, blow in on_server(server).items() if "tree" not in name}
        yield Installation(server, folder, blows, options=options)


@contextmanager
def small(folder: Path, seconds: float) -> Iterator[Installation]:
    """Run SQLite and threads on a small disk, by a clock that can be moved."""
    clock = Clock(folder / "clock")
    options = _options(folder) | clock.environ
    with (
        small_disk(folder / "disk", DISK_BYTES + int(seconds) * 2**17) as disk,
        serving(folder / "disk" / "data", **options) as server,
    ):
        blows = on_server(server) | disk | clock.blows()
        yield Installation(server, folder, blows, clock, options)


@contextmanager
def large(folder: Path) -> Iterator[Installation]:
    """Run PostgreSQL, Celery and an object store, by a clock that can be moved."""
    clock = Clock(folder / "clock")
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_running())
        redis = stack.enter_context(redis_running())
        store = stack.enter_context(s3_running())
        options = _options(
            folder,
            DATABASE_URL=postgres.create("fire"),
            IMGPIPE_JOBS="celery",
            CELERY_BROKER_URL=redis.url,
            IMGPIPE_STORAGE=store.make_bucket(),
            **store.environ,
        )
        options |= clock.environ
        server = stack.enter_context(serving(folder / "data", **options))
        worker = stack.enter_context(working(server.environ, folder / "worker.log"))
        blows = on_server(server) | on_worker(worker) | on_postgres(postgres) | on_redis(redis)
        blows |= on_store(store) | clock.blows()
        yield Installation(server, folder, blows, clock, options)


def burn(it: Installation, seconds: float, seed: int) -> History:
    """Let clients and nemesis loose for so long; returns the history."""
    shared = Shared(it.server.url, it.folder)
    clients = [Client(number, seed, shared) for number in range(CLIENTS)]
    nemesis = Nemesis(it.blows, seed, it.folder / "blows")
    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(client.run) for client in clients]
        try:
            nemesis.rage(seconds)
        finally:
            shared.over.set()
    for each in running:
        each.result()
    if it.clock:
        it.clock.set(0)
    it.server.await_ready()
    end = _Quiet(it).look()
    deeds = [deed for file in it.folder.glob("*.jsonl") for deed in read(file)]
    payments = paid.payments(it.folder / "payments")
    blows = [json.loads(line) for line in (it.folder / "blows").read_bytes().splitlines()]
    return History(deeds, payments, list(_results(it.server.data_dir)), blows, end)


def _results(data_dir: Path) -> Iterator[tuple[str, int]]:
    """Yield whose result was written behind which fence, as the log says; a full disk may have cut lines."""
    for file in (data_dir / "logs").glob("app.log*"):
        for line in file.read_text(errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            _, found, rest = str(entry["message"]).rpartition(", attempt ")
            if found and entry["logger"] == "imgpipe.pictures.lifecycle":
                yield entry["about"], int(rest.partition(",")[0])


class _Quiet:
    """Wait until all work is done, and look at everything."""

    def __init__(self, it: Installation) -> None:
        self._it = it
        self._url = it.server.url
        self._session = threading.local()
        self._recorder = Recorder(it.folder / "operator.jsonl")

    def look(self) -> End:
        self._finish()
        end = End()
        items = list(self._walk("/api/images?limit=500"))
        end.walk = [item["image_id"] for item in items]
        with ThreadPoolExecutor(CLIENTS) as pool:
            end.pictures = dict(zip(end.walk, pool.map(self._see, items), strict=True))
        for number in range(CLIENTS):
            end.logs[f"client{number}"] = self._read(f"client{number}")
        end.faults += self._sums(items)
        end.faults += self._doctor()
        return end

    def _finish(self) -> None:
        """Have what failed because its worker died too often done again, until nothing is left to do."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self._it.server.await_all_done(PATIENCE_S)
            failed = [item["image_id"] for item in self._walk("/api/images?limit=500&status=failed")]
            if not failed or time.monotonic() > deadline:
                return
            for image_id in failed:
                with self._recorder.doing(what="retry", about=image_id) as deed:
                    answer = self._request("POST", f"/api/images/{image_id}/retry")
                    deed.status = answer.status_code
                    deed.code, _ = understand("retry", answer)

    def _see(self, item: dict[str, Any]) -> Seen:
        original = self._get(item["original_url"])
        number = paid.read_plate(original.content) if original.status_code == 200 else -1
        seen = Seen(number, item["status"], item["caption"])
        if number < 0 or original.content != paid.plate(number):
            seen.faults.append(f"its original is {original.status_code}, {len(original.content)} bytes")
        for name, url in item["thumbnails"].items():
            answer = self._get(url)
            if answer.status_code != 200:
                seen.faults.append(f"{name} is {answer.status_code}")
            elif name != "square" and paid.read_plate(answer.content) != number:
                seen.faults.append(f"{name} shows {paid.read_plate(answer.content)}")
        comments = self._walk(f"/api/images/{item['image_id']}/comments?limit=500")
        seen.comments = [int(comment["text"]) for comment in comments]
        return seen

    def _read(self, log: str) -> int | None:
        answer = self._get(f"/api/frames?log={log}&format=raw&pixels=source")
        value = understand("read", answer)[1]
        return None if value is None else int(value)

    def _sums(self, items: list[dict[str, Any]]) -> Iterator[str]:
        stats = self._get("/api/stats").json()["data"]
        counted = [len(items), sum(item["status"] == "success" for item in items)]
        if [stats["total"], stats["success"]] != counted:
            yield f"the statistics say {stats}, there are {counted}"

    def _doctor(self) -> Iterator[str]:
        """Litter is all that may be left."""
        done = run("flask --app wsgi doctor", self._it.server.data_dir, **self._it.options)
        for line in done.stdout.splitlines():
            name, _, rest = line.partition("  ")
            found = rest.split()[:1]
            if found and found[0].isdigit() and int(found[0]) and name != "orphan files":
                yield f"the doctor finds {line}"
        if done.returncode not in (0, 1):
            yield f"the doctor ends with {done.returncode}: {done.stdout[-500:]}"

    def _walk(self, page: str | None) -> Iterator[dict[str, Any]]:
        while page:
            body = self._get(page).json()
            yield from body["data"]
            page = body["next"]

    def _get(self, path: str) -> requests.Response:
        return self._request("GET", path)

    def _request(self, method: str, path: str) -> requests.Response:
        if not hasattr(self._session, "it"):
            self._session.it = requests.Session()
        response: requests.Response = self._session.it.request(method, self._url + path, timeout=60)
        return response


def summary(history: History) -> dict[str, int]:
    """Count what happened."""
    return {
        "events": 2 * len(history.deeds),
        "blows": len(history.blows),
        "calls": len(history.payments),
    }


def unclear(deeds: list[Deed]) -> int:
    """Count what nobody was told of."""
    return sum(deed.unclear for deed in deeds)
