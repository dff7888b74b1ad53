"""One call: which way it goes, and what it brings back."""

from collections.abc import Iterator
from queue import Empty
from socketserver import BaseRequestHandler, TCPServer
from threading import Thread

import pytest

from imgpipe.outbound import Request
from imgpipe.transport import BODY_BYTES, _Call, exchange, is_loopback
from tests.captions.provider import Provider


class Proxy(TCPServer):
    """A proxy that writes down what it is asked, and refuses."""

    asked = b""


class Refusal(BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Proxy)
        self.server.asked = self.request.recv(4096)
        self.request.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with Proxy(("127.0.0.1", 0), Refusal) as server:
        address = f"127.0.0.1:{server.server_address[1]}"
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://us%40er:pass@{address}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_https_call_takes_the_environments_proxy(proxy: Proxy) -> None:
    with pytest.raises(OSError, match="403"):
        exchange(Request("GET", "https://provider.test/v1", {}), 10.0)
    assert proxy.asked.startswith(b"CONNECT provider.test:443 ")
    assert b"Proxy-Authorization: Basic dXNAZXI6cGFzcw==" in proxy.asked


def test_a_call_to_this_machine_takes_no_proxy(proxy: Proxy, provider: Provider) -> None:
    assert exchange(Request("GET", f"{provider.url}/v1/models", {}), 10.0).status == 200
    assert proxy.asked == b""


def test_no_more_than_a_mebibyte_is_read(provider: Provider) -> None:
    provider.fault = "gigabyte"
    answer = exchange(Request("GET", provider.url, {}), 10.0)
    assert (len(answer.body), answer.whole) == (BODY_BYTES, False)


def test_a_body_that_stops_is_waited_for_until_the_deadline_only(provider: Provider) -> None:
    provider.fault, provider.drip_s = "drip_body", 30.0
    call = _Call(Request("GET", provider.url, {}), 0.1, BODY_BYTES)
    call.start()
    with pytest.raises(Empty):  # no error of its own, which who waits might meet before the deadline
        call.outcome.get(timeout=0.5)
    call.abandon()
    call.join(10)
    assert not call.is_alive()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("a.localhost", True),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("api.openai.com", False),
    ],
)
def test_this_machine_is_known_by_its_names(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
