"""Make one HTTP call that ends when it should, whatever the server does.

Timeouts of sockets count from byte to byte and leave out the name lookup, so a server that drips holds
them off for ever. Here the call runs in a thread of its own; whoever waits for it leaves at the deadline
and shuts the socket, which ends the thread.
"""

import ssl
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from functools import cache
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection, IncompleteRead
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from socket import SHUT_RDWR, socket
from threading import Thread
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi

BODY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """Hold one call: an absolute http or https URL, headers, and the whole body."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold what came back; ``body`` is at most 1 MiB, and ``whole`` tells whether that was all."""

    status: int
    headers: Message
    body: bytes
    whole: bool


def exchange(request: Request, timeout_s: float) -> Answer:
    """Send the request and read the answer, lookup to last byte within ``timeout_s``.

    Redirects are not followed. An https call goes through the environment's proxy; a plain http call,
    and any call to this machine, never does.

    Raises: TimeoutError; OSError, HTTPException or ValueError when the connection cannot be made or breaks.
    """
    call = _Call(request, timeout_s)
    call.start()
    try:
        outcome = call.outcome.get(timeout=timeout_s)
    except Empty:
        raise TimeoutError from None
    finally:
        call.abandon()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


class _Call(Thread):
    def __init__(self, request: Request, timeout_s: float) -> None:
        super().__init__(name="caption-call", daemon=True)
        self.request = request
        self.connection = _connection(urlsplit(request.url), timeout_s)
        self.socket: socket | None = None
        self.abandoned = False
        self.outcome: SimpleQueue[Answer | Exception] = SimpleQueue()

    def run(self) -> None:
        try:
            self.outcome.put(self._converse())
        except Exception as error:
            self.outcome.put(error)
        finally:
            self.connection.close()

    def abandon(self) -> None:
        self.abandoned = True
        for end in (self.socket, self.connection.sock):
            if end is not None:
                with suppress(OSError):
                    end.shutdown(SHUT_RDWR)

    def _converse(self) -> Answer:
        self.connection.connect()
        # Kept here as well: http.client forgets its socket as soon as a response will close it.
        self.socket = self.connection.sock
        if self.abandoned:
            raise ConnectionAbortedError
        ask = self.request
        target = urlsplit(ask.url)._replace(scheme="", netloc="", fragment="").geturl() or "/"
        self.connection.request(ask.method, target, ask.body, dict(ask.headers))
        with self.connection.getresponse() as response:
            return _read(response)


def _read(response: HTTPResponse) -> Answer:
    body = response.read(BODY_BYTES)
    whole = len(body) < BODY_BYTES
    if whole and response.length:
        raise IncompleteRead(body, response.length)
    return Answer(response.status, response.headers, body, whole)


def _connection(url: SplitResult, timeout_s: float) -> HTTPConnection:
    host = url.hostname or ""
    if url.scheme != "https":
        return HTTPConnection(host, url.port or 80, timeout=timeout_s)
    proxy = _proxy(host)
    if proxy is None:
        return HTTPSConnection(host, url.port or 443, timeout=timeout_s, context=_trust())
    connection = HTTPSConnection(proxy.hostname or "", proxy.port or 80, timeout=timeout_s, context=_trust())
    connection.set_tunnel(host, url.port or 443, _proxy_headers(proxy))
    return connection


def _proxy(host: str) -> SplitResult | None:
    address = getproxies().get("https")
    if not address or is_loopback(host) or proxy_bypass(host):
        return None
    return urlsplit(address if "://" in address else f"http://{address}")


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address means this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@cache
def _trust() -> ssl.SSLContext:
    """Trust the system's authorities, and certifi's where a bare machine has none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
