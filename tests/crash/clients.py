"""Use the service over HTTP like people who do not give up: what gets no clear answer is sent again."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import requests

from tests.crash.history import Deed, Recorder
from tests.crash.paid import plate

# How long a client waits: some less than a process stays stopped, and nobody hears its answers then.
PATIENCE_S = (2.5, 20.0)
TRIES = 12
ROWS = 9
PAGE = 50
# How often each thing is done.
SHARES = {
    "upload": 30,
    "look": 25,
    "await": 8,
    "comment": 10,
    "delete": 8,
    "retry": 6,
    "store": 5,
    "read": 6,
    "drop": 1,
    "walk": 1,
}


@dataclass
class Shared:
    """What all clients know: where the service is, what was taken in, and when it is over."""

    url: str
    folder: Path
    over: threading.Event = field(default_factory=threading.Event)
    ids: list[str] = field(default_factory=list)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    sent: list[int] = field(default_factory=list)


class Client:
    """One of several, with a log of its own, and pictures that it alone deletes."""

    def __init__(self, number: int, seed: int, shared: Shared) -> None:
        self._draw = Random(f"{seed} {number}")
        self._shared = shared
        self._name = f"client{number}"
        self._patience_s = PATIENCE_S[number % len(PATIENCE_S)]
        self._keys = (f"{self._name}-{serial}" for serial in itertools.count())
        self._own: list[str] = []
        self._recorder = Recorder(shared.folder / f"{self._name}.jsonl")
        self._session = requests.Session()
        self._ways: Mapping[str, Callable[[], None]] = {name: getattr(self, f"_{name}") for name in SHARES}

    def run(self) -> None:
        """Go on until it is over."""
        while not self._shared.over.is_set():
            [way] = self._draw.choices(list(SHARES), list(SHARES.values()))
            self._ways[way]()
            time.sleep(self._draw.uniform(0, 0.08))

    def _upload(self) -> None:
        twin = self._shared.sent and self._draw.random() < 0.15
        number = self._draw.choice(self._shared.sent[-20:]) if twin else next(self._shared.numbers)
        self._shared.sent.append(number)
        files = {"file": (f"{number}.img", plate(number))}
        key = next(self._keys) if self._draw.random() < 0.6 else ""
        deed = self._insist("POST", "/api/images", "upload", files=files, sent=number, key=key)
        if deed.done and deed.told not in self._own:
            self._own.append(deed.told)
            self._shared.ids.append(deed.told)

    def _delete(self) -> None:
        if len(self._own) > 3:
            image_id = self._own.pop(self._draw.randrange(len(self._own)))
            self._insist("DELETE", f"/api/images/{image_id}", "delete", about=image_id)

    def _look(self) -> None:
        self._show("")

    def _await(self) -> None:
        self._show("?wait=2")

    def _show(self, query: str) -> None:
        if image_id := self._anybodys():
            self._ask("GET", f"/api/images/{image_id}{query}", "look", about=image_id)

    def _anybodys(self) -> str:
        ids = self._shared.ids
        if not ids:
            return ""
        return self._draw.choice(ids[-40:] if self._draw.random() < 0.7 else ids)

    def _comment(self) -> None:
        if image_id := self._anybodys():
            number = next(self._shared.numbers)
            path, key = f"/api/images/{image_id}/comments", next(self._keys)
            body = {"text": str(number)}
            self._insist("POST", path, "comment", json=body, about=image_id, sent=number, key=key)

    def _retry(self) -> None:
        for image_id in self._own[-8:]:
            seen = self._ask("GET", f"/api/images/{image_id}", "look", about=image_id)
            if seen.done and "failed" in seen.told.values():
                self._ask("POST", f"/api/images/{image_id}/retry", "retry", about=image_id)

    def _store(self) -> None:
        """Send rows of one value, so that half of them would be seen."""
        number = next(self._shared.numbers)
        grey = f"{number % 256},{number // 256 % 256},{number // 65536 % 256}"
        csv = "depth,a,b,c\n" + "".join(f"{depth},{grey}\n" for depth in range(ROWS))
        files, data = {"file": ("log.csv", csv)}, {"log": self._name}
        given = {"about": self._name, "sent": number, "key": next(self._keys)}
        self._insist("POST", "/api/frames", "store", files=files, data=data, **given)

    def _drop(self) -> None:
        self._ask("DELETE", f"/api/frames/logs/{self._name}", "drop", about=self._name)

    def _read(self) -> None:
        log = self._draw.choice([self._name, "client0", "client1"])
        query = {"log": log, "format": "raw", "pixels": "source"}
        self._ask("GET", "/api/frames", "read", params=query, about=log)

    def _walk(self) -> None:
        """Go through all pages; a walk in which one page is not answered has not been."""
        with self._recorder.doing(what="walk") as deed:
            page, ids = f"/api/images?limit={PAGE}", []
            while page:
                answer = self._send("GET", page)
                if answer is None or answer.status_code != 200:
                    return
                body = answer.json()
                ids += [item["image_id"] for item in body["data"]]
                page = body["next"]
            deed.status, deed.told = 200, ids

    def _insist(self, method: str, path: str, what: str, **given: Any) -> Deed:
        """Send it until the answer is clear; without a key, or something that can be done twice, once."""
        for attempt in range(TRIES):
            deed = self._ask(method, path, what, **given)
            again = deed.unclear or deed.code in ("conflict", "busy")
            if not again or not (deed.key or what == "delete") or self._shared.over.is_set():
                break
            time.sleep(min(2.0, 0.1 * 2**attempt))
        return deed

    def _ask(
        self, method: str, path: str, what: str, *, about: str = "", sent: int = 0, key: str = "", **body: Any
    ) -> Deed:
        headers = {"Idempotency-Key": key} if key else {}
        with self._recorder.doing(what=what, about=about, sent=sent, key=key) as deed:
            answer = self._send(method, path, headers=headers, **body)
            if answer is not None:
                deed.status = answer.status_code
                deed.code, deed.told = understand(what, answer)
        return deed

    def _send(self, method: str, path: str, **body: Any) -> requests.Response | None:
        try:
            return self._session.request(method, self._shared.url + path, timeout=self._patience_s, **body)
        except requests.RequestException:
            return None


def understand(what: str, answer: requests.Response) -> tuple[str, Any]:
    """Return the code of an error, and of a good answer what a history keeps."""
    if answer.status_code == 204:
        return "", None
    if what == "read" and answer.status_code == 200:
        return "", value_of(answer.content)
    body = json.loads(answer.content)
    if answer.status_code >= 400:
        return body["code"], None
    if what == "look":
        return "", {name: body["data"][name] for name in ("status", "caption", "caption_status")}
    return "", body["data"]["image_id"] if what == "upload" else None


def value_of(raw: bytes) -> int:
    """Read the number that a log's rows bear; -1 where they differ, or some are missing."""
    rows = {raw[start : start + 3] for start in range(0, len(raw), 3)}
    return int.from_bytes(raw[:3], "little") if len(rows) == 1 and len(raw) == 3 * ROWS else -1
