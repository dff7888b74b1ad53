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

_START_S = 60
_PATIENCE_S = 30
_LISTENING = re.compile(r"WebDriver BiDi listening on ws://127\.0\.0\.1:(\d+)")
_KEYS = {
    "ArrowRight": "\ue014",
    "ArrowLeft": "\ue012",
    "Escape": "\ue00c",
    "Enter": "\ue007",
    "Delete": "\ue017",
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


class Firefox:
    """One tab: goes to addresses, runs scripts, points and types; saves into ``downloads``."""

    def __init__(self, port: int, downloads: Path) -> None:
        self.downloads = downloads
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

    def size(self, width: int, height: int) -> None:
        """Set the size of the window's inside."""
        self.call(
            "browsingContext.setViewport", context=self.tab, viewport={"width": width, "height": height}
        )

    def visit(self, url: str) -> None:
        """Go to an address, also where only its hash is another."""
        self.call("browsingContext.navigate", context=self.tab, url="about:blank", wait="complete")
        self.call("browsingContext.navigate", context=self.tab, url=url, wait="complete")

    def ask(self, expression: str) -> Any:
        """Return what an expression is, by way of JSON; a promise is waited for."""
        wrapped = f"Promise.resolve({expression}).then(one => JSON.stringify(one ?? null))"
        result = self.call(
            "script.evaluate", expression=wrapped, target={"context": self.tab}, awaitPromise=True
        )
        assert result["type"] == "success", result
        return json.loads(result["result"]["value"])

    def expect(self, expression: str, wanted: object = True) -> None:
        """Wait until an expression is what is wanted."""
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            with suppress(AssertionError):
                if self.ask(expression) == wanted:
                    return
            time.sleep(0.05)
        assert self.ask(expression) == wanted

    def act(self, kind: str, sources: Sequence[Sequence[dict[str, Any]]], **parameters: Any) -> None:
        """Perform actions of one kind, such as pointer, a list for each finger."""
        actions = [
            {"type": kind, "id": f"{kind} {n} {parameters}", "actions": list(steps)}
            | ({"parameters": parameters} if parameters else {})
            for n, steps in enumerate(sources)
        ]
        self.call("input.performActions", context=self.tab, actions=actions)

    def press(self, *keys: str) -> None:
        """Press keys, all but the last held meanwhile."""
        values = [_KEYS.get(key, key) for key in keys]
        downs = [{"type": "keyDown", "value": value} for value in values]
        self.act("key", [[*downs, *({"type": "keyUp", "value": value} for value in reversed(values))]])

    def middle(self, selector: str, number: int = 0) -> tuple[int, int]:
        """Return where the middle of an element is."""
        script = (
            f"(b => [Math.round(b.x + b.width / 2), Math.round(b.y + b.height / 2)])"
            f"(document.querySelectorAll({json.dumps(selector)})[{number}].getBoundingClientRect())"
        )
        x, y = self.ask(script)
        return x, y

    def click(self, selector: str, number: int = 0, times: int = 1) -> None:
        """Click the middle of an element."""
        x, y = self.middle(selector, number)
        clicks = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}] * times
        self.act("pointer", [[{"type": "pointerMove", "x": x, "y": y}, *clicks]], pointerType="mouse")

    def type(self, text: str) -> None:
        """Type where the keyboard is."""
        steps = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self.act("key", [steps])

    def fill(self, selector: str, value: str) -> None:
        """Give a field a value, as one who picks it."""
        self.ask(
            f"(one => {{ one.value = {json.dumps(value)}; for (const kind of ['input', 'change'])"
            f" one.dispatchEvent(new Event(kind, {{bubbles: true}})) }})"
            f"(document.querySelector({json.dumps(selector)}))"
        )

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in an input."""
        script = {"expression": f"document.querySelector({json.dumps(selector)})", "awaitPromise": False}
        found = self.call("script.evaluate", target={"context": self.tab}, **script)["result"]
        self.call(
            "input.setFiles",
            context=self.tab,
            element={"sharedId": found["sharedId"]},
            files=[str(file) for file in files],
        )

    def touch(self, *fingers: Sequence[tuple[int, int]]) -> None:
        """Put fingers down, take each along its places, lift them."""
        steps = []
        for (x, y), *rest in fingers:
            moves = [{"type": "pointerMove", "x": a, "y": b, "duration": 30} for a, b in rest]
            down = [{"type": "pointerMove", "x": x, "y": y}, {"type": "pointerDown", "button": 0}]
            steps.append([*down, *moves, {"type": "pointerUp", "button": 0}])
        self.act("pointer", steps, pointerType="touch")


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
