"""Make one HTTP call that ends when it should, whatever the server does: for captions and for webhooks.

The timeouts of ``requests`` count from byte to byte and leave out the name lookup, so a server that drips
holds them off for ever. Here the call runs in a thread of its own, over connections that remember their
sockets; whoever waits for it leaves at the deadline and shuts them, which ends the thread.
"""

import ssl
from contextlib import closing, suppress
from functools import cache
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from socket import SHUT_RDWR, socket
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from imgpipe.outbound import Answer, Request

BODY_BYTES = 1024 * 1024
CHUNK_BYTES = 64 * 1024


def exchange(request: Request, timeout_s: float, body_bytes: int = BODY_BYTES) -> Answer:
    """Send the request and read the answer, lookup to last byte within ``timeout_s``.

    Of the answer's body the first ``body_bytes`` are read; with 0 it may as well be broken.

    Redirects are not followed. The environment's proxies and authorities are used, its netrc is not; a call
    to this machine goes through no proxy.

    Raises: TimeoutError; OSError (which the errors of ``requests`` are) when the connection can't be made or
    breaks; ValueError for what is no URL.
    """
    call = _Call(request, timeout_s, body_bytes)
    call.start()
    try:
        outcome = call.outcome.get(timeout=timeout_s)
    except Empty:
        raise TimeoutError from None
    finally:
        call.abandon()
    if isinstance(outcome, requests.Timeout):
        raise TimeoutError from outcome
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address means this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class _Call(Thread):
    """One call, and the sockets that it has opened."""

    def __init__(self, request: Request, timeout_s: float, body_bytes: int) -> None:
        super().__init__(name="outbound-call", daemon=True)
        self.request = request
        self.timeout_s = timeout_s
        self.body_bytes = body_bytes
        self.sockets: list[socket] = []
        self.abandoned = False
        self.outcome: SimpleQueue[Answer | Exception] = SimpleQueue()

    def run(self) -> None:
        try:
            self.outcome.put(self._converse())
        except Exception as error:
            self.outcome.put(error)
        finally:
            for end in self.sockets:
                end.close()

    def abandon(self) -> None:
        self.abandoned = True
        for end in self.sockets:
            _shut(end)

    def keep(self, end: socket) -> None:
        self.sockets.append(end)
        if self.abandoned:
            _shut(end)

    def _converse(self) -> Answer:
        ask = self.request
        host = urlsplit(ask.url).hostname or ""
        with requests.Session() as session:
            session.mount("http://", _Adapter(self))
            session.mount("https://", _Adapter(self))
            response = session.request(
                ask.method,
                ask.url,
                data=ask.body,
                headers={"Accept-Encoding": "identity", "Connection": "close", **ask.headers},
                auth=lambda prepared: prepared,  # or requests would look into ~/.netrc
                proxies={"no_proxy": host} if is_loopback(host) else None,
                allow_redirects=False,
                stream=True,
                timeout=(self.timeout_s, None),  # what it reads ends by the deadline, which shuts the socket
            )
            with closing(response):
                return _read(response, self.body_bytes)


def _read(response: requests.Response, body_bytes: int) -> Answer:
    body, chunks = b"", response.iter_content(CHUNK_BYTES)
    while len(body) < body_bytes:
        if not (chunk := next(chunks, b"")):
            return Answer(response.status_code, response.headers, body, True)
        body += chunk
    return Answer(response.status_code, response.headers, body[:body_bytes], False)


class _Adapter(HTTPAdapter):
    """Open connections that hand their sockets to a call, directly and through a proxy."""

    def __init__(self, call: _Call) -> None:
        self._call = call
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=_trust(), **kwargs)
        self._watch(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, ssl_context=_trust(), **kwargs)
        self._watch(manager)
        return manager

    def _watch(self, manager: PoolManager) -> None:
        call = self._call

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                call.keep(self.sock)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket:
                end = super()._new_conn()  # before the handshake, which may drip as well
                call.keep(end)
                return end

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


def _shut(end: socket) -> None:
    with suppress(OSError):
        end.shutdown(SHUT_RDWR)


@cache
def _trust() -> ssl.SSLContext:
    """Trust the system's authorities, and certifi's where a bare machine has none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
