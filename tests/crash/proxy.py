"""Stand between the service and a server, and cut the connection at the Nth thing that the service says."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

LATE_S = 0.3
BLOCK = 2**16
Address = str | tuple[str, int]
# When it cuts: the server never hears it; the server hears it and its answer is lost; or the server hears it
# only after the service has learned that the connection is lost.
Moment = Literal["unheard", "unanswered", "late"]
MOMENTS: tuple[Moment, ...] = ("unheard", "unanswered", "late")


class Proxy:
    """Listen at one address and pass everything on to another; ``cutting`` says when not to."""

    def __init__(self, listen: Address, target: Address) -> None:
        self._target = target
        self._listener = _socket(listen)
        if isinstance(listen, str):
            self._listener.bind(listen)
            Path(listen).chmod(0o777)
        else:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(listen)
        self._listener.listen(64)
        self.port = listen if isinstance(listen, str) else int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._left = 0
        self._moment: Moment = "unheard"
        self._hit: list[bool] = []
        self._over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @contextlib.contextmanager
    def cutting(self, moment: Moment, number: int) -> Iterator[list[bool]]:
        """Cut at the Nth thing said during the block; the list learns whether that was reached."""
        hit: list[bool] = []
        with self._lock:
            self._left, self._moment, self._hit = number, moment, hit
            self._over.clear()
        try:
            yield hit
        finally:
            with self._lock:
                self._left = 0
            if hit:  # whatever comes late has come by then
                self._over.wait(10 * LATE_S)
            hit.append(False)

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = _socket(self._target)
        with client, server, contextlib.suppress(OSError):
            server.connect(self._target)
            threading.Thread(target=_pump, args=(server, client), daemon=True).start()
            while said := client.recv(BLOCK):
                if self._is_due():
                    self._cut(client, server, said)
                    return
                server.sendall(said)

    def _is_due(self) -> bool:
        with self._lock:
            if self._left:
                self._left -= 1
                if not self._left:
                    self._hit.append(True)
                    return True
            return False

    def _cut(self, client: socket.socket, server: socket.socket, said: bytes) -> None:
        if self._moment == "unanswered":
            client.shutdown(socket.SHUT_WR)
            server.sendall(said)
            time.sleep(LATE_S / 3)
        if self._moment == "late":
            client.shutdown(socket.SHUT_RDWR)
            time.sleep(LATE_S)
            server.sendall(said)
            time.sleep(LATE_S / 3)
        for side in (client, server):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
        self._over.set()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while said := source.recv(BLOCK):
            target.sendall(said)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def _socket(address: Address) -> socket.socket:
    return socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
