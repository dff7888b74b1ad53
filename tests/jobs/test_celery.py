"""Celery carries wake-ups: what a message says, and what it means when it is lost, late or doubled."""

import json
import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from celery.contrib.testing.worker import start_worker  # type: ignore[import-untyped]

from imgpipe.config import load, table
from imgpipe.jobs.celery import LOOK_S, WAKES, CeleryJobs
from imgpipe.jobs.protocol import Jobs
from tests import rabbitmq, redis
from tests.factories import AppFactory, jpeg, post
from tests.jobs.test_jobs import (  # the contract of whoever executes the work
    Notebook,
    test_a_ping_of_whoever_is_at_work_is_quiet,
    test_closing_says_that_the_end_is_near_and_closing_twice_is_fine,
    test_starting_twice_is_fine,
    test_what_is_queued_is_done_once_each_after_a_wake,
    until,
)
from tests.rabbitmq import RabbitMQ
from tests.redis import Redis
from tests.servers import free_port

pytestmark = pytest.mark.system

__all__ = (
    "test_a_ping_of_whoever_is_at_work_is_quiet",
    "test_closing_says_that_the_end_is_near_and_closing_twice_is_fine",
    "test_starting_twice_is_fine",
    "test_what_is_queued_is_done_once_each_after_a_wake",
)
NOWHERE = "redis://127.0.0.1:{port}/0"
Hire = Callable[[str], CeleryJobs]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(redis.running, id="redis"),
        pytest.param(rabbitmq.running, id="rabbitmq", marks=pytest.mark.soak),
    ],
)
def broker(request: pytest.FixtureRequest) -> Iterator[Redis | RabbitMQ]:
    with request.param() as server:
        yield server


@pytest.fixture
def broker_url(broker: Redis | RabbitMQ) -> str:
    """Return the URL of an empty room of the broker's: a worker that ends puts its messages back late."""
    return broker.another()


@pytest.fixture
def backlog() -> Notebook:
    return Notebook()


@pytest.fixture
def hire(backlog: Notebook) -> Iterator[Hire]:
    """Return a function that makes jobs, as a web process has them, with a broker's URL."""
    hired = []

    def make(broker_url: str) -> CeleryJobs:
        hired.append(CeleryJobs(backlog, ["render"], broker_url, lease_s=0.3, after_fork=lambda: None))
        hired[-1].start()
        return hired[-1]

    yield make
    for jobs in hired:
        jobs.close()


@pytest.fixture
def web(broker_url: str, hire: Hire) -> CeleryJobs:
    """Return jobs whose broker is empty and whom no worker serves."""
    return hire(broker_url)


@pytest.fixture
def jobs(web: CeleryJobs, backlog: Notebook) -> Iterator[Jobs]:
    """Return jobs that a worker with two threads in this process serves."""
    options = {"pool": "threads", "concurrency": 2, "perform_ping_check": False, "shutdown_timeout": 60}
    with start_worker(web.celery, **options):
        yield web
        backlog.go_on.set()


def waiting(jobs: CeleryJobs) -> int:
    with jobs.celery.connection_for_read() as connection:
        declared = connection.default_channel.queue_declare("render", durable=True, auto_delete=False)
        return int(declared.message_count)


def test_a_message_names_a_lane_and_nothing_else(web: CeleryJobs) -> None:
    web.wake("render")
    until(lambda: waiting(web) == 1)
    with web.celery.connection_for_read() as connection:
        message = connection.default_channel.basic_get("render", no_ack=True)
    arguments, named, _ = json.loads(message.body)
    assert (message.headers["task"], arguments, named) == ("imgpipe.work", ["render"], {})


def test_work_whose_message_was_lost_is_found(jobs: Jobs, backlog: Notebook) -> None:
    backlog.waiting += [uuid4() for _ in range(3)]
    until(lambda: len(backlog.done) == 3)


def test_a_message_that_comes_twice_finds_nothing_to_do(jobs: Jobs, backlog: Notebook) -> None:
    backlog.waiting.append(uuid4())
    for _ in range(5):
        jobs.wake("render")
    until(lambda: len(backlog.done) == 1)


def test_however_much_is_due_looking_never_floods_the_broker(
    web: CeleryJobs, hire: Hire, backlog: Notebook, broker_url: str
) -> None:
    others = [hire(broker_url) for _ in range(3)]
    backlog.waiting += [uuid4() for _ in range(1000)]
    until(lambda: waiting(web) >= WAKES)
    time.sleep(2 * LOOK_S)
    assert waiting(web) <= WAKES * (1 + len(others))


def test_the_lease_of_what_is_running_is_renewed(jobs: Jobs, backlog: Notebook) -> None:
    backlog.go_on.clear()
    backlog.waiting.append(uuid4())
    jobs.wake("render")
    until(lambda: len(backlog.renewed) >= 2)


def test_what_is_held_at_a_stop_is_given_back(jobs: Jobs, backlog: Notebook) -> None:
    backlog.go_on.clear()
    backlog.waiting.append(uuid4())
    jobs.wake("render")
    until(lambda: not backlog.waiting)
    jobs.close()
    assert len(backlog.released) == 1


def test_a_database_that_goes_away_and_comes_back_costs_no_work(jobs: Jobs, backlog: Notebook) -> None:
    backlog.away = True
    backlog.waiting.append(uuid4())
    jobs.wake("render")
    time.sleep(LOOK_S)
    backlog.away = False
    until(lambda: len(backlog.done) == 1)


def test_an_emptied_broker_is_filled_again(jobs: CeleryJobs, backlog: Notebook) -> None:
    with jobs.celery.connection_for_write() as connection:
        connection.default_channel.queue_purge("render")
    backlog.waiting.append(uuid4())
    until(lambda: len(backlog.done) == 1)


def test_a_ping_tells_of_a_broker_that_refuses(hire: Hire) -> None:
    with pytest.raises(OSError):
        hire(NOWHERE.format(port=free_port())).ping()


def test_a_ping_tells_of_a_broker_that_says_nothing(web: CeleryJobs, broker: Redis | RabbitMQ) -> None:
    with broker.frozen(), pytest.raises(OSError):
        web.ping()
    web.ping()


def test_a_broker_by_amqp_is_understood_and_told_to_be_away(hire: Hire) -> None:
    with pytest.raises(OSError):
        hire(f"amqp://guest:guest@127.0.0.1:{free_port()}//").ping()


def test_an_upload_is_taken_while_the_broker_is_away(make_app: AppFactory) -> None:
    broker_url = NOWHERE.format(port=free_port())
    client = make_app(IMGPIPE_JOBS="celery", CELERY_BROKER_URL=broker_url).test_client()
    assert post(client, jpeg()).status_code == 202
    ready = client.get("/api/health/ready")
    assert (ready.status_code, ready.json["checks"]["jobs"]) == (503, "down")  # type: ignore[index]


def test_the_brokers_password_is_not_shown() -> None:
    settings = load({"CELERY_BROKER_URL": "rediss://user:s3cret@host:6379/1"})
    assert "s3cret" not in str(list(table(settings)))
