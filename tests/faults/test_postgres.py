"""PostgreSQL goes away in mid-run, again and again: clients are told so, and no picture suffers."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
import requests

from imgpipe.pictures import stats
from tests.api.test_upload import refused
from tests.factories import AppFactory, jpeg, upload
from tests.postgres import Postgres, on_postgresql
from tests.servers import Server, free_port, run, serving

BACKLOG = 30
AWAY_S = 1.0
BACK_S = 10


class Client:
    """Somebody who uploads all the time, and keeps every answer."""

    def __init__(self, server: Server, data: bytes) -> None:
        self.url = f"{server.url}/api/images"
        self.data = data
        self.answers: list[requests.Response] = []

    def upload_until(self, over: Event) -> None:
        """Upload one picture after another."""
        while not over.wait(0.02):
            self.answers.append(requests.post(self.url, files={"file": ("a.jpg", self.data)}, timeout=30))

    def accepted(self) -> set[str]:
        """Return the ids of the pictures that were taken in."""
        return {answer.json()["data"]["image_id"] for answer in self.answers if answer.status_code == 202}

    def assert_others_were_told_to_come_back(self) -> int:
        """Check all answers but the 202; returns how many there were."""
        others = [answer for answer in self.answers if answer.status_code != 202]
        assert {(answer.status_code, answer.json()["code"]) for answer in others} <= {(503, "unavailable")}
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in others)
        return len(others)


@contextmanager
def uploading(server: Server, data: bytes) -> Iterator[Client]:
    """Have a client upload for the length of a block."""
    client, over = Client(server, data), Event()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(client.upload_until, over)
        try:
            yield client
        finally:
            over.set()
            running.result()


def await_answer(server: Server) -> float:
    """Wait until the service is ready; returns how long that took, s."""
    began = time.monotonic()
    while not requests.get(f"{server.url}/api/health/ready", timeout=30).ok:
        assert time.monotonic() - began < BACK_S
        time.sleep(0.02)
    return time.monotonic() - began


def take_away(server: Server, postgres: Postgres) -> float:
    """Crash the database, see what the service says to that, and bring it back."""
    postgres.stop("immediate")
    try:
        answers = [
            requests.get(server.url + path, timeout=30) for path in ("/api/stats", "/api/health/ready")
        ]
        assert [answer.status_code for answer in answers] == [503, 503]
        assert (answers[0].json()["code"], answers[0].headers["Retry-After"]) == ("unavailable", "2")
        assert answers[1].json()["checks"] == {"database": "down", "storage": "ok", "jobs": "ok"}
        assert requests.get(f"{server.url}/api/health/status", timeout=30).ok
        time.sleep(AWAY_S)
    finally:
        postgres.start()
    return await_answer(server)


@pytest.mark.parametrize("crashes", [2, pytest.param(30, marks=pytest.mark.soak)])
def test_a_crashing_database_costs_answers_for_a_moment_and_no_picture(
    tmp_path: Path, postgres: Postgres, database: str, heavy: bytes, crashes: int
) -> None:
    # The default lease: one that ends while the database is away looks like a dead worker's.
    with serving(tmp_path, DATABASE_URL=postgres.url(database), IMGPIPE_LEASE_S="30") as server:
        ids = set()
        for number in range(crashes):
            ids |= set(server.upload_all(heavy, BACKLOG))
            with uploading(server, jpeg(32, 32 + number)) as client:
                time.sleep(0.2)
                back_s = take_away(server, postgres)
            told = client.assert_others_were_told_to_come_back()
            assert told
            print(f"crash {number}: back after {back_s:.2f} s, {told} uploads were told to come back")
            assert postgres.sql(database, "SELECT count(*) FROM images WHERE crashes > 0") == [(0,)]
            ids |= client.accepted()
        totals = server.await_all_done(timeout_s=120)
        rows = postgres.sql(database, "SELECT id::text, status, running, stage, crashes FROM images")
        thumbnails = postgres.sql(database, "SELECT count(*) FROM thumbnails GROUP BY image_id")
    assert ids <= {row[0] for row in rows}
    assert {row[1:] for row in rows} == {("success", False, None, 0)}
    assert totals["success"] == totals["total"] == len(rows)
    assert thumbnails == [(3,)] * len(rows)


def cut_connections(server: Postgres) -> None:
    """End every connection to the database of the tests, as a restart or a fail-over does."""
    ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'test'"
    assert server.sql("postgres", ended)


@on_postgresql
def test_connections_that_were_cut_while_idle_cost_no_answer(
    make_app: AppFactory, postgres: Postgres
) -> None:
    client = make_app().test_client()
    upload(client)
    cut_connections(postgres)
    assert client.get("/api/stats").status_code == 200


@on_postgresql
def test_a_connection_that_is_cut_after_the_last_query_costs_no_answer(
    make_app: AppFactory, postgres: Postgres
) -> None:
    def view() -> str:
        stats.totals()
        cut_connections(postgres)
        return "all is well"

    app = make_app()
    app.add_url_rule("/cut", view_func=view)
    assert [app.test_client().get("/cut").text for _ in range(2)] == ["all is well"] * 2


@pytest.fixture(params=["closed", "silent"])
def dead_port(request: pytest.FixtureRequest) -> Iterator[int]:
    """Return a port where nobody listens, and one where somebody does who never says a word."""
    if request.param == "closed":
        yield free_port()
        return
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield silent.getsockname()[1]


@on_postgresql
@pytest.mark.timeout(30)  # libpq alone would wait for more than two minutes
def test_a_dead_host_answers_503_and_when_to_come_back(make_app: AppFactory, dead_port: int) -> None:
    client = make_app(DATABASE_URL=f"postgresql://somebody@127.0.0.1:{dead_port}/images").test_client()
    response = client.get("/api/stats")
    refused(response, 503, "unavailable")
    assert response.headers["Retry-After"] == "2"


@pytest.mark.timeout(30)
def test_a_start_without_the_database_is_one_line(tmp_path: Path, dead_port: int) -> None:
    url = f"postgresql://somebody:secret@127.0.0.1:{dead_port}/images"
    done = run("python init_db.py", tmp_path, DATABASE_URL=url)
    assert done.returncode == 1
    assert done.stdout.startswith("DATABASE_URL=(hidden): expected a database that answers")
    assert done.stdout.count("\n") == 1
    assert "secret" not in done.stdout
