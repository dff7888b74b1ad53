"""The object store goes away in the middle of the work: uploads are refused, and nothing is lost or torn."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import requests

from imgpipe.storage.objects import ObjectStorage
from imgpipe.storage.protocol import MARK
from tests.factories import png
from tests.jobs.test_jobs import until
from tests.redis import running as redis_running
from tests.s3 import ObjectServer
from tests.s3 import running as s3_running
from tests.servers import Server, serving
from tests.workers import working

PICTURES = 12
Away = Callable[[ObjectServer], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectServer]:
    with s3_running() as server:
        yield server


@pytest.fixture(scope="module")
def picture() -> bytes:
    return png(1200, 900)


def options(store: ObjectServer, address: str) -> dict[str, str]:
    return store.environ | {"IMGPIPE_STORAGE": address}


def post(server: Server, data: bytes) -> requests.Response:
    return requests.post(f"{server.url}/api/images", files={"file": ("photo.png", data)}, timeout=60)


def kept(address: str, store: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    for name, value in store.environ.items():
        monkeypatch.setenv(name, value)
    return set(dict(ObjectStorage(address).keys()))


def assert_all_is_there(server: Server, keys: set[str], ids: list[str], data: bytes) -> None:
    rows = server.sql("SELECT status, original_key FROM images")
    assert [row[0] for row in rows] == ["success"] * len(ids)
    named = {row[1] for row in rows} | {row[0] for row in server.sql("SELECT key FROM thumbnails")}
    assert len(named) == 4 * len(ids)
    assert named <= keys
    for image_id in ids:
        assert requests.get(f"{server.url}/api/images/{image_id}/original", timeout=30).content == data


@pytest.mark.parametrize("away_s", [3, pytest.param(20, marks=pytest.mark.soak)])
@pytest.mark.parametrize("away", [ObjectServer.refusing, ObjectServer.silent])
def test_while_the_store_is_away_uploads_are_refused_and_nothing_is_lost(
    store: ObjectServer,
    picture: bytes,
    away: Away,
    away_s: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = store.make_bucket()
    with serving(tmp_path, **options(store, address)) as server:
        ids = server.upload_all(picture, PICTURES)
        ends_at = time.monotonic() + away_s
        with away(store):
            refused = [post(server, picture)]
            while time.monotonic() < ends_at:
                refused.append(post(server, picture))
            ready = requests.get(f"{server.url}/api/health/ready", timeout=60)
        assert {(answer.status_code, told(answer)) for answer in refused} == {(503, "unavailable")}
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
        assert (ready.status_code, ready.json()["checks"]["storage"]) == (503, "down")
        ids.append(server.upload(picture))
        server.await_all_done(60)
        assert_all_is_there(server, kept(address, store, monkeypatch), ids, picture)


@pytest.mark.parametrize(
    "left", ["nothing", "another's", pytest.param("an empty bucket", marks=pytest.mark.soak)]
)
def test_while_the_bucket_is_gone_or_replaced_nothing_is_taken_failed_or_begun_anew(
    store: ObjectServer, picture: bytes, left: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = store.make_bucket()
    with serving(tmp_path, WEB_CONCURRENCY="1", **options(store, address)) as server:
        ids = server.upload_all(picture, 2)
        server.await_all_done()
        with store.without(address) as name:
            if left != "nothing":
                store.make_bucket(name)
            if left == "another's":
                mark = f"{store.url}/{address.removeprefix('s3://')}/{MARK}"
                assert requests.put(mark, data=b"another\n", timeout=10).ok
            ready = server.await_ready(503)
            assert ready["checks"] == {"database": "ok", "storage": "down", "jobs": "ok"}
            queued = (
                "UPDATE images SET status='processing', stage='render', due_at='2026-01-01 00:00:00.000000'"
            )
            server.sql(queued)
            server.sql("UPDATE tallies SET success = 0, worked_ms = 0")
            refused = [post(server, picture) for _ in range(6)]
            assert {(answer.status_code, told(answer)) for answer in refused} == {(503, "unavailable")}
            until(lambda: "storage is away" in server.output.read_text())
            totals = server.get("/api/stats")
            assert (totals["processing"], totals["failed"]) == (len(ids), 0)
            if left != "nothing":
                assert kept(address, store, monkeypatch) == set()
        server.await_ready()
        ids.append(server.upload(picture))
        assert server.await_all_done()["success"] == len(ids)
        assert_all_is_there(server, kept(address, store, monkeypatch), ids, picture)


def told(answer: requests.Response) -> Any:
    return answer.json()["code"]


def test_a_celery_worker_reads_from_the_store_and_writes_to_it(
    store: ObjectServer, picture: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = store.make_bucket()
    with redis_running() as redis:
        jobs = {"IMGPIPE_JOBS": "celery", "CELERY_BROKER_URL": redis.url}
        with (
            serving(tmp_path, **options(store, address), **jobs) as server,
            working(server.environ, tmp_path / "worker.log"),
        ):
            ids = server.upload_all(picture, 4)
            server.await_all_done(60)
            assert_all_is_there(server, kept(address, store, monkeypatch), ids, picture)
