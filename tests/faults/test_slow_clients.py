"""Clients that stop in the middle, or only drip, are given up, and the others are served meanwhile."""

import contextlib
import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.factories import jpeg
from tests.servers import Server, serving

FORM = b"Host: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
HALVES = {
    "nothing": b"",
    "half-a-line": b"POST /api/ima",
    "half-a-header": b"GET /api/stats HTTP/1.1\r\nHost: loca",
    "half-a-body": b"POST /api/images HTTP/1.1\r\n" + FORM + b"Content-Length: 100000\r\n\r\n--b\r\n",
    "half-a-chunk": b"POST /upload HTTP/1.1\r\n" + FORM + b"Transfer-Encoding: chunked\r\n\r\nff\r\n--b",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    few = {"WEB_CONCURRENCY": "1", "IMGPIPE_WEB_THREADS": "2"}
    with serving(tmp_path_factory.mktemp("slow"), **few) as running:
        yield running


def connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=60)


def read_to_end(client: socket.socket) -> bytes:
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(4096):
            answer += part
    return answer


def drip(client: socket.socket) -> bytes:
    """Send a byte every half second until the server has had enough, and return what it says."""
    client.settimeout(0.5)
    while True:
        with contextlib.suppress(TimeoutError):
            return read_to_end(client)
        with contextlib.suppress(OSError):
            client.sendall(b"a")


def assert_timed_out(answer: bytes) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 "), answer
    assert b"connection: close" in head.lower()
    told = json.loads(body)
    assert told.keys() == {"status", "data", "error", "code", "details", "request_id"}
    assert told["code"] == "request_timeout"


def test_forty_half_sent_requests_end_by_themselves_and_hold_nobody_up(server: Server) -> None:
    with contextlib.ExitStack() as held, ThreadPoolExecutor(40) as readers:
        halves = list(HALVES.items()) * 8
        clients = [held.enter_context(connected(server)) for _ in halves]
        for client, (_, half) in zip(clients, halves, strict=True):
            client.sendall(half)
        for _ in range(10):
            assert requests.get(f"{server.url}/api/stats", timeout=5).ok
            assert requests.post(f"{server.url}/api/images", files={"file": ("a.jpg", jpeg())}, timeout=5).ok
        answers = list(readers.map(read_to_end, clients))
    for (name, _), answer in zip(halves, answers, strict=True):
        if name == "nothing":
            assert answer == b""
        else:
            assert_timed_out(answer)
    assert server.await_all_done()["failed"] == 0


@pytest.mark.soak
def test_forty_dripping_requests_end_within_a_minute(server: Server) -> None:
    with contextlib.ExitStack() as held, ThreadPoolExecutor(40) as readers:
        clients = [held.enter_context(connected(server)) for _ in range(40)]
        for client, half in zip(clients, [HALVES["half-a-header"], HALVES["half-a-body"]] * 20, strict=True):
            client.sendall(half)
        began = time.monotonic()
        drips = [readers.submit(drip, client) for client in clients]
        assert requests.get(f"{server.url}/api/stats", timeout=5).ok
        answers = [future.result() for future in drips]
        print(f"all gone after {time.monotonic() - began:.1f} s")
    for answer in answers:
        assert_timed_out(answer)


def test_a_request_that_was_given_up_is_told_in_the_log_without_a_traceback(server: Server) -> None:
    log = server.output.read_text()
    assert "408" in log
    assert "Traceback" not in log


def test_a_slow_but_steady_upload_is_taken(server: Server) -> None:
    request = requests.Request(
        "POST", server.url + "/api/images", files={"file": ("a.jpg", jpeg())}
    ).prepare()
    assert isinstance(request.body, bytes)
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    head = "\r\n".join(["POST /api/images HTTP/1.1", "Host: localhost", "Connection: close", *lines])
    with connected(server) as client:
        client.sendall(head.encode() + b"\r\n\r\n")
        for start in range(0, len(request.body), 1 + len(request.body) // 20):
            client.sendall(request.body[start : start + 1 + len(request.body) // 20])
            time.sleep(0.05)
        assert read_to_end(client).startswith(b"HTTP/1.1 202 ")


def test_kept_connections_and_pipelined_requests_go_on(server: Server) -> None:
    line = b"GET /api/health/status HTTP/1.1\r\nHost: localhost\r\n"
    with connected(server) as client:
        client.sendall((line + b"\r\n") * 2 + line + b"Connection: close\r\n\r\n")
        assert len(re.findall(rb"HTTP/1.1 200 ", read_to_end(client))) == 3


def test_a_body_is_asked_for_only_when_it_is_wanted(server: Server) -> None:
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    with connected(server) as client:
        client.sendall(head % b"/nothing")
        refused = read_to_end(client)
        assert refused.startswith(b"HTTP/1.1 404 ")
        assert b"connection: close" in refused.lower()
    with connected(server) as client:
        client.sendall(head % b"/api/images")
        assert client.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert client.recv(12) == b"HTTP/1.1 400"


@pytest.mark.parametrize("body", [b"zz\r\nabc\r\n0\r\n\r\n", b"3\r\nabcdef\r\n0\r\n\r\n", b"-1\r\n\r\n"])
@pytest.mark.parametrize("path", ["/api/images", "/api/frames", "/upload", "/analyze-image"])
def test_a_malformed_chunked_body_is_a_bad_request(server: Server, path: str, body: bytes) -> None:
    head = f"POST {path} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n".encode() + FORM + b"\r\n"
    with connected(server) as client:
        client.sendall(head + body)
        answer = read_to_end(client)
    assert b"connection: close" in answer.lower()
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "bad_request"
    assert "Traceback" not in server.output.read_text()


def test_a_body_that_breaks_off_stores_nothing(server: Server) -> None:
    before = server.get("/api/stats")["total"]
    with connected(server) as client:
        client.sendall(HALVES["half-a-body"])
        client.shutdown(socket.SHUT_WR)
        answer = read_to_end(client)
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "bad_request"
    assert server.get("/api/stats")["total"] == before


def test_a_stop_waits_for_no_half_sent_request(tmp_path: Path) -> None:
    with serving(tmp_path, WEB_CONCURRENCY="1") as server, contextlib.ExitStack() as held:
        for half in HALVES.values():
            held.enter_context(connected(server)).sendall(half)
        assert server.status("/api/stats") == 200
        assert server.stop() < 8
