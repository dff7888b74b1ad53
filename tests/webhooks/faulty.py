"""A receiver that fails in one way: before, in the middle of, or instead of an answer."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: a reset instead of an orderly end
DRIP_S = 0.02
Behaviour = Callable[[socket.socket], None]


@contextmanager
def behaving(behave: Behaviour) -> Iterator[str]:
    """Take one connection after the other, have ``behave`` treat each, and yield the host and port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client, suppress(OSError):
                        behave(client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def read(client: socket.socket) -> None:
    """Read a request to the end of its body."""
    file = client.makefile("rb")
    length = 0
    while (line := file.readline()).strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    file.read(length)


def answer(*pieces: bytes) -> Behaviour:
    """Read the request, send these bytes and end the connection."""

    def behave(client: socket.socket) -> None:
        read(client)
        for piece in pieces:
            client.sendall(piece)

    return behave


def status(code: int, *headers: str) -> Behaviour:
    """Answer by a status, without a body."""
    head = "\r\n".join((f"HTTP/1.1 {code} As told", "Content-Length: 0", *headers, "", ""))
    return answer(head.encode())


def abort(client: socket.socket) -> None:
    """Reset the connection without reading a byte."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)


def read_and_abort(client: socket.socket) -> None:
    """Take the whole request, and reset the connection."""
    read(client)
    abort(client)


def stay_silent(client: socket.socket) -> None:
    """Take the request and say nothing until the caller has left."""
    read(client)
    client.recv(1)


def drip(client: socket.socket) -> None:
    """Send a header without end, a byte at a time, until the caller has left."""
    read(client)
    client.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    client.settimeout(DRIP_S)
    while True:
        client.sendall(b"x")
        with suppress(TimeoutError):
            if not client.recv(1):
                return


def break_handshake(client: socket.socket) -> None:
    """Answer a handshake as a server without TLS does."""
    client.recv(64)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
