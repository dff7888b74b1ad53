"""Drive the system's Firefox, headless, by WebDriver BiDi over a web socket of a few dozen lines."""

import base64
import itertools
import json
import os
import re
import secrets
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.browser.hands import SIZES, Hand, Place

_START_S = 60
_LISTENING = re.compile(r"WebDriver BiDi listening on ws://127\.0\.0\.1:(\d+)")
_DOWN = {"type": "pointerDown", "button": 0}
_UP = {"type": "pointerUp", "button": 0}
_KEYS = {
    "ArrowRight": "\ue014",
    "ArrowLeft": "\ue012",
    "Escape": "\ue00c",
    "Enter": "\ue007",
    "Delete": "\ue017",
    "Home": "\ue011",
    "Control": "\ue009",
    "Shift": "\ue008",
}


class Socket:
    """A client's end of a web socket (RFC 6455): texts, one frame each."""

    def __init__(self, port: int, path: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        head = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        )
        self._socket.sendall(f"{head}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self._stream = self._socket.makefile("rb")
        assert b" 101 " in self._stream.readline()
        while self._stream.readline() != b"\r\n":
            pass

    def send(self, text: str) -> None:
        """Send a text, masked as a client must."""
        data, mask = text.encode(), secrets.token_bytes(4)
        size = struct.pack("!BB", 0x81, 0x80 | min(len(data), 125))
        if len(data) > 125:  # the shortest form that holds it
            long = len(data) > 0xFFFF
            size = struct.pack("!BBQ" if long else "!BBH", 0x81, 0x80 | (127 if long else 126), len(data))
        masked = bytes(byte ^ key for byte, key in zip(data, itertools.cycle(mask), strict=False))
        self._socket.sendall(size + mask + masked)

    def receive(self) -> str:
        """Return the next text, put together from its frames."""
        text = b""
        while True:
            first, second = self._stream.read(2)
            size = second & 0x7F
            if size > 125:
                size = int.from_bytes(self._stream.read(2 if size == 126 else 8))
            data = self._stream.read(size)
            if first & 0x0F in (0, 1):
                text += data
                if first & 0x80:
                    return text.decode()

    def close(self) -> None:
        """Hang up."""
        self._stream.close()  # a socket stays open while a file over it is
        self._socket.close()


class Firefox(Hand):
    """A tab of Firefox."""

    def __init__(self, port: int, downloads: Path) -> None:
        self._downloads = downloads
        self._socket = Socket(port, "/session")
        self._numbers = itertools.count(1)
        self.call("session.new", capabilities={})
        self.tab = self.call("browsingContext.getTree")["contexts"][0]["context"]

    def call(self, method: str, **params: Any) -> Any:
        """Send a command and return its result."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (answer := json.loads(self._socket.receive())).get("id") != number:
            pass
        assert answer["type"] == "success", answer
        return answer["result"]

    def close(self) -> None:
        """Hang up; the browser goes on."""
        self._socket.close()

    def hold(self, device: str) -> None:
        self.device = device
        width, height = SIZES[device]
        self.call(
            "browsingContext.setViewport", context=self.tab, viewport={"width": width, "height": height}
        )

    def visit(self, url: str) -> None:
        self.call("browsingContext.navigate", context=self.tab, url="about:blank", wait="complete")
        self.call("browsingContext.navigate", context=self.tab, url=url, wait="complete")

    def travel(self, steps: int) -> None:
        self.call("browsingContext.traverseHistory", context=self.tab, delta=steps)

    def ask(self, expression: str) -> Any:
        wrapped = f"Promise.resolve({expression}).then(one => JSON.stringify(one ?? null))"
        result = self.call(
            "script.evaluate", expression=wrapped, target={"context": self.tab}, awaitPromise=True
        )
        assert result["type"] == "success", result
        return json.loads(result["result"]["value"])

    def press(self, *keys: str) -> None:
        values = [_KEYS.get(key, key) for key in keys]
        downs = [{"type": "keyDown", "value": value} for value in values]
        self._act("key", [[*downs, *({"type": "keyUp", "value": value} for value in reversed(values))]])

    def type(self, text: str) -> None:
        steps = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self._act("key", [steps])

    def choose(self, selector: str, *files: Path) -> None:
        script = {"expression": f"document.querySelector({json.dumps(selector)})", "awaitPromise": False}
        found = self.call("script.evaluate", target={"context": self.tab}, **script)["result"]
        self.call(
            "input.setFiles",
            context=self.tab,
            element={"sharedId": found["sharedId"]},
            files=[str(file) for file in files],
        )

    def saved(self, name: str) -> Path:
        found = self._downloads / name
        deadline = time.monotonic() + _START_S
        while list(self._downloads.glob("*.part")) or not (found.exists() and found.stat().st_size):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return found.rename(found.with_stem(f"{found.stem} {next(self._numbers)}"))

    def mouse(self, *places: Place, down: bool = True, times: int = 1) -> None:
        first, *rest = (_move(place) for place in places)
        steps = [first, *([_DOWN] if down else []), *rest, *([_UP] if down else [])]
        self._act("pointer", [steps + [_DOWN, _UP] * (times - 1)], pointerType="mouse")

    def wheel(self, x: float, y: float, down_px: int) -> None:
        self._act(
            "wheel", [[{"type": "scroll", "x": round(x), "y": round(y), "deltaX": 0, "deltaY": down_px}]]
        )

    def touch(self, *fingers: Sequence[Place], pause_ms: int = 0) -> None:
        steps = []
        for first, *rest in fingers:
            moves = [_move(place) | {"duration": 30} for place in rest]
            steps.append([_move(first), _DOWN, *moves, {"type": "pause", "duration": pause_ms}, _UP])
        self._act("pointer", steps, pointerType="touch")

    def _act(self, kind: str, sources: Sequence[Sequence[dict[str, Any]]], **parameters: Any) -> None:
        actions = [
            {"type": kind, "id": f"{kind} {n} {parameters}", "actions": list(steps)}
            | ({"parameters": parameters} if parameters else {})
            for n, steps in enumerate(sources)
        ]
        self.call("input.performActions", context=self.tab, actions=actions)


def _move(place: Place) -> dict[str, Any]:
    return {"type": "pointerMove", "x": round(place[0]), "y": round(place[1])}


@contextmanager
def browsing(program: str, folder: Path) -> Iterator[Firefox]:
    """Run a headless Firefox with a fresh profile for the length of a block."""
    profile = folder / "profile"
    profile.mkdir()
    downloads = folder / "downloads"
    downloads.mkdir()
    preferences = {
        "dom.w3c_touch_events.enabled": 1,
        "browser.download.folderList": 2,  # the one that is named
        "browser.download.dir": str(downloads),
        "dom.events.testing.asyncClipboard": True,  # reading it asks nobody
    }
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items()]
    (profile / "user.js").write_text("".join(lines))
    log = folder / "firefox.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"],
            env=os.environ | {"HOME": str(folder), "MOZ_DISABLE_CONTENT_SANDBOX": "1"},
            stdout=output,
            stderr=output,
        )
    try:
        firefox = Firefox(_port(log), downloads)
        yield firefox
        with suppress(OSError, struct.error, ValueError):
            firefox.call("browser.close")
        firefox.close()
    finally:
        process.kill()
        process.wait()


def _port(log: Path) -> int:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if found := _LISTENING.search(log.read_text(errors="replace")):
            return int(found[1])
        time.sleep(0.1)
    raise TimeoutError(log.read_text(errors="replace"))
