"""A refusal of a large body reaches every client as a readable answer, and costs a bounded time."""

import contextlib
import http.client
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.factories import jpeg
from tests.servers import Server, serving

TRIES = 10
BOUNDARY = "frontier"
TYPE = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
Answer = tuple[int, dict[str, Any]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("refusals")) as running:
        yield running


@pytest.fixture(scope="module")
def body() -> bytes:
    """Return a form with a JPEG of 33 MiB."""
    data = jpeg()
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    return head.encode() + data.ljust(33 * 2**20, b"\0") + f"\r\n--{BOUNDARY}--\r\n".encode()


def chunks(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 2**18):
        yield body[start : start + 2**18]


def by_urllib(url: str, body: Any) -> Answer:
    request = urllib.request.Request(url, body, TYPE, method="POST")
    with pytest.raises(urllib.error.HTTPError) as raised, urllib.request.urlopen(request, timeout=60):
        pass
    with raised.value as answer:
        return answer.code, json.loads(answer.read())


def by_http_client(url: str, body: Any) -> Answer:
    host, path = url.removeprefix("http://").split("/", 1)
    with contextlib.closing(http.client.HTTPConnection(host, timeout=60)) as connection:
        connection.request("POST", f"/{path}", body, TYPE, encode_chunked=not isinstance(body, bytes))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def by_requests(url: str, body: Any) -> Answer:
    answer = requests.post(url, data=body, headers=TYPE, timeout=60)
    return answer.status_code, answer.json()


CLIENTS = (by_urllib, by_http_client, by_requests)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("dressed", [bytes, chunks], ids=["whole", "chunked"])
@pytest.mark.parametrize(
    ("path", "status", "code"), [("/api/images", 413, "too_large"), ("/nothing", 404, "not_found")]
)
def test_every_client_can_read_why_33_mib_were_refused(
    server: Server,
    body: bytes,
    client: Callable[[str, Any], Answer],
    dressed: Callable[[bytes], Any],
    path: str,
    status: int,
    code: str,
) -> None:
    answers = [client(server.url + path, dressed(body)) for _ in range(TRIES)]
    assert [(got, content["code"]) for got, content in answers] == [(status, code)] * TRIES
    assert server.get("/api/stats")["total"] == 0


def drip(server: Server, length: bytes) -> bytes:
    """Send a body three bytes at a time, and return the first thing that is answered."""
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"POST /nothing HTTP/1.1\r\nHost: localhost\r\n" + length + b"\r\n\r\n")
        client.settimeout(0.5)
        for _ in range(60):
            client.sendall(b"1\r\nx\r\n")
            with contextlib.suppress(TimeoutError):
                return client.recv(4096)
    return b"nothing"


def test_a_refused_body_that_only_drips_in_is_answered_within_bounds(server: Server) -> None:
    lengths = (b"Content-Length: 40000000", b"Transfer-Encoding: chunked")
    began = time.monotonic()
    with ThreadPoolExecutor(2) as clients:
        answers = list(clients.map(partial(drip, server), lengths))
    print(f"answered after {time.monotonic() - began:.1f} s")
    assert [answer[:13] for answer in answers] == [b"HTTP/1.1 404 "] * 2


def test_the_development_server_waits_for_nothing_behind_the_end_of_a_body(tmp_path: Path) -> None:
    with serving(tmp_path, "python wsgi.py") as server:
        assert requests.get(f"{server.url}/nothing", timeout=5).status_code == 404
        assert requests.post(f"{server.url}/nothing", data=b"x", timeout=5).status_code == 404
        assert requests.post(f"{server.url}/api/images", data=b"x", timeout=5).status_code == 400
