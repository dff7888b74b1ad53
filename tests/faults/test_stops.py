"""A plain stop ends soon whatever is running, gives every claim back, and is never counted as a crash."""

import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.faults.test_kills import assert_each_was_rendered_once
from tests.servers import Server, run, serving

GUNICORN = "gunicorn wsgi:app"
COMMANDS = (GUNICORN, "python wsgi.py", "flask --app wsgi run --port {port}")
SIGNALS = (signal.SIGTERM, signal.SIGINT)
STOPS = [
    pytest.param(
        command, number, marks=() if number == SIGNALS[0] or command == GUNICORN else pytest.mark.soak
    )
    for command in COMMANDS
    for number in SIGNALS
]
PROMPT_S = 10  # gunicorn's own patience is 30 s, and without a pattern that is how long a stop takes


@contextmanager
def dripping(server: Server) -> Iterator[None]:
    """Be a client that sends one byte of its upload every second."""
    over = Event()

    def drip() -> None:
        with suppress(OSError):  # a server that stops hangs up
            while not over.wait(1):
                client.send(b"x")

    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"POST /api/images HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        thread = Thread(target=drip)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def assert_everything_was_given_back(server: Server) -> None:
    rows = server.sql("SELECT status, running, crashes, due_at IS NULL FROM images")
    assert set(rows) <= {("processing", 0, 0, 0), ("success", 0, 0, 1)}
    late = "SELECT count(*) FROM images WHERE due_at > strftime('%Y-%m-%d %H:%M:%f', 'now', '+1 second')"
    assert server.sql(late) == [(0,)]


@pytest.mark.parametrize(("command", "number"), STOPS)
def test_a_stop_is_prompt_and_gives_back_what_is_running(
    tmp_path: Path, heavy: bytes, command: str, number: signal.Signals
) -> None:
    assert run("python init_db.py", tmp_path).returncode == 0
    with serving(tmp_path, command, IMGPIPE_LEASE_S="60") as server:
        server.upload_all(heavy, 24)
        took_s = server.stop(number)
        print(f"{command}, {number.name}: stopped in {took_s:.2f} s")
        assert took_s < PROMPT_S
        assert server.sql("SELECT count(*) FROM images WHERE status = 'processing'") != [(0,)]
        assert_everything_was_given_back(server)
        assert "Traceback" not in server.output.read_text()


def test_a_stop_waits_for_no_slow_client_and_answers_a_long_poll_first(tmp_path: Path, heavy: bytes) -> None:
    with serving(tmp_path, IMGPIPE_WORKERS="1") as server, ThreadPoolExecutor(1) as clients:
        with dripping(server):
            ids = server.upload_all(heavy, 40)
            poll = clients.submit(server.get, f"/api/images/{ids[-1]}", wait=30)
            time.sleep(0.3)
            took_s = server.stop()
        print(f"stopped in {took_s:.2f} s")
        assert took_s < PROMPT_S
        assert poll.result()["status"] == "processing"
        assert_everything_was_given_back(server)


def test_deploy_after_deploy_counts_no_crash_and_loses_nothing(tmp_path: Path, heavy: bytes) -> None:
    with serving(tmp_path) as server:
        ids = server.upload_all(heavy, 20)
        for _ in range(3):
            server.stop()
            assert_everything_was_given_back(server)
            server.start()
        assert_each_was_rendered_once(server, ids)


def test_workers_that_are_replaced_by_a_reload_count_no_crash_either(tmp_path: Path, heavy: bytes) -> None:
    with serving(tmp_path) as server:
        ids = server.upload_all(heavy, 20)
        before = {worker.pid for worker in server.workers()}
        server.send(signal.SIGHUP)
        while before & {worker.pid for worker in server.workers()}:
            assert server.sql("SELECT max(crashes) FROM images") == [(0,)]
            time.sleep(0.05)
        assert_each_was_rendered_once(server, ids)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_development_server_stops_as_well_while_it_watches_for_changes(
    tmp_path: Path, heavy: bytes, number: signal.Signals
) -> None:
    with serving(tmp_path, "python wsgi.py", FLASK_DEBUG="1") as server:
        server.upload_all(heavy, 12)
        children = server.workers()
        assert children
        for child in children:
            child.send_signal(number)
        for child in children:
            child.wait(PROMPT_S)
        assert_everything_was_given_back(server)
