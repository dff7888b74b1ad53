"""Pictures are queued behind Celery, then the worst happens: each one still ends well, once, and soon."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import rabbitmq, redis
from tests.factories import png
from tests.faults.test_kills import assert_each_was_rendered_once
from tests.rabbitmq import RabbitMQ
from tests.redis import Redis
from tests.servers import Server, serving
from tests.workers import Worker, working

PICTURES = 18
SEED = 20261121
PATIENCE_S = 120
Broker = Redis | RabbitMQ


@dataclass
class Installation:
    """A web server, a worker of two processes, and the broker between them."""

    server: Server
    worker: Worker
    broker: Broker


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(redis.running, id="redis"),
        pytest.param(rabbitmq.running, id="rabbitmq", marks=pytest.mark.soak),
    ],
)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with request.param() as server:
        yield server


@pytest.fixture(scope="module")
def options(broker: Broker) -> dict[str, str]:
    return {"IMGPIPE_JOBS": "celery", "CELERY_BROKER_URL": broker.url, "IMGPIPE_LEASE_S": "2"}


@pytest.fixture(scope="module")
def installation(
    broker: Broker, options: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("celery")
    with serving(folder, **options) as server, working(server.environ, folder / "worker.log") as worker:
        yield Installation(server, worker, broker)


@pytest.fixture(scope="module")
def picture() -> bytes:
    """Return a picture of which two processes render about ten a second."""
    return png(2000, 1500)


def kill_a_child(installation: Installation) -> None:
    random.choice(installation.worker.children()).kill()


def kill_the_worker(installation: Installation) -> None:
    installation.worker.kill()
    installation.worker.start()


def kill_the_broker(installation: Installation) -> None:
    installation.broker.kill()
    installation.broker.start()


BLOWS = (kill_a_child, kill_the_worker, kill_the_broker)


def moments(count: int, soaking: int) -> list[Any]:
    """Draw moments, each the number of pictures done when the blow falls; ``soaking`` more for the soak."""
    draw = random.Random(SEED)
    drawn = [draw.randrange(PICTURES // 2) for _ in range(count + soaking)]
    soak = pytest.mark.soak
    return [
        pytest.param(done, id=f"{number}-after-{done}", marks=soak if number >= count else ())
        for number, done in enumerate(drawn)
    ]


@pytest.mark.parametrize("done", moments(3, soaking=20))
@pytest.mark.parametrize("blow", BLOWS)
def test_no_picture_is_lost_stuck_or_rendered_twice(
    installation: Installation, picture: bytes, blow: Callable[[Installation], None], done: int
) -> None:
    server = installation.server
    before = server.get("/api/stats")["success"]
    ids = server.upload_all(picture, PICTURES)
    while server.get("/api/stats")["success"] < before + done:
        time.sleep(0.01)
    assert server.get("/api/stats")["processing"] > 0
    blow(installation)
    began = time.monotonic()
    server.await_all_done(PATIENCE_S)
    print(f"all done {time.monotonic() - began:.1f} s after the blow")
    assert_each_was_rendered_once(server, ids, at_least=True)
    assert len(server.sql("SELECT id FROM images")) == before + PICTURES


def test_uploads_are_taken_without_a_broker_and_found_when_it_is_back(
    installation: Installation, picture: bytes
) -> None:
    installation.broker.kill()
    ids = installation.server.upload_all(picture, 4)
    installation.broker.start()
    installation.server.await_all_done(PATIENCE_S)
    assert_each_was_rendered_once(installation.server, ids, at_least=True)


def test_a_worker_that_is_stopped_finishes_what_it_does_and_counts_no_crash(
    installation: Installation, picture: bytes
) -> None:
    server, worker = installation.server, installation.worker
    ids = server.upload_all(picture, 8)
    assert worker.stop() == 0
    assert set(server.sql("SELECT running, crashes FROM images")) == {(0, 0)}
    assert server.get("/api/stats")["processing"] > 0
    worker.start()
    assert_each_was_rendered_once(server, ids, at_least=True)


def test_a_picture_that_kills_its_worker_ends_as_crashed_and_others_do_not(
    installation: Installation, picture: bytes
) -> None:
    server, worker = installation.server, installation.worker
    slow = server.upload(png(7900, 7900))
    for crash in range(3):
        while (1, crash) not in server.sql("SELECT running, crashes FROM images WHERE stage = 'render'"):
            time.sleep(0.01)
        for child in worker.children():
            child.kill()
    fine = server.upload(picture)
    server.await_all_done(PATIENCE_S)
    ends = [server.get(f"/api/images/{image_id}") for image_id in (slow, fine)]
    assert [(end["status"], end["error_code"]) for end in ends] == [("failed", "crashed"), ("success", None)]


def test_two_web_processes_and_two_workers_render_each_picture_once(
    broker: Broker, options: dict[str, str], tmp_path: Path, picture: bytes
) -> None:
    chosen = options | {"CELERY_BROKER_URL": broker.another(), "IMGPIPE_LEASE_S": "30"}
    with ExitStack() as stack:
        one = stack.enter_context(serving(tmp_path, **chosen))
        other = stack.enter_context(serving(tmp_path, **chosen))
        for name in ("first", "second"):
            arguments = ("-Q", "render,caption", "-c", "2", "-n", name)
            stack.enter_context(working(one.environ, tmp_path / f"{name}.log", *arguments))
        ids = one.upload_all(picture, 4) + other.upload_all(picture, 4)
        assert_each_was_rendered_once(one, ids)
        assert set(one.sql("SELECT attempt FROM images")) == {(1,)}
