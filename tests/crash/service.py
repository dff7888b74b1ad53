"""Use the service as clients and operators do, and write down what they sent and what they were told."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from operator import add
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import event
from werkzeug.test import TestResponse

from imgpipe import captions, clock, create_app, installation
from imgpipe.captions.protocol import fingerprint
from imgpipe.clock import utc_now
from imgpipe.config import load
from imgpipe.database.engine import db
from imgpipe.database.schema import upgrade
from imgpipe.jobs.inline import InlineJobs
from imgpipe.pictures import queue
from tests.factories import post, post_form

Event = dict[str, Any]
Tell = Callable[[Event], None]
ROUNDS = 40
STEP = timedelta(seconds=61)  # past every lease and every pause of a few seconds
CAPTIONER = "tests.crash.service:Scripted"


class Later(InlineJobs):
    """Do nothing at a wake, so that the answer comes before the work; ``work`` does what is due."""

    eager = False

    def wake(self, lane: str) -> None:
        """Leave it, unless ``eager``."""
        if self.eager:
            super().wake(lane)

    def work(self) -> None:
        """Do everything that is due now."""
        for lane in queue.LANES:
            self.work_in(lane)

    def work_in(self, lane: str) -> None:
        """Do what is due in one lane."""
        super().wake(lane)


class Scripted:
    """Caption by the bytes alone; a word in the model's name says what goes wrong at first.

    Each call is told: it is what somebody would pay for.
    """

    provider = "scripted"
    tell: Tell = staticmethod(lambda event: None)
    answers: Callable[[bytes], captions.Caption] | None = None

    def __init__(self, settings: captions.Settings) -> None:
        self.model = settings.model or "plain"
        self.fingerprint = fingerprint(self.provider, self.model)

    def caption(self, jpeg: bytes) -> captions.Caption:
        """Answer at once."""
        type(self).tell({"called": digest(jpeg)})
        if self.answers is not None:
            return self.answers(jpeg)
        return captions.Caption(f"A picture of {digest(jpeg)}", self.provider, self.model, raw=None)

    def ping(self) -> None:
        """Do nothing."""


def digest(data: bytes) -> str:
    """Name some bytes."""
    return hashlib.sha256(data).hexdigest()


class Service:
    """One process of the service over a folder: the data directory is ``data`` in it.

    Whatever is asked of it is told before, and told again with ``done`` once the answer has come.
    """

    def __init__(self, folder: Path, options: Mapping[str, str], tell: Tell = lambda event: None) -> None:
        self.folder = folder
        self._tell = Scripted.tell = tell
        given = {
            "IMGPIPE_DATA_DIR": str(folder / "data"),
            "IMGPIPE_JOBS": "inline",
            "IMGPIPE_LOG_LEVEL": "ERROR",
        }
        self._options = given | dict(options)
        self.reopen()

    @contextmanager
    def listening(self, moment: str, act: Callable[..., None]) -> Iterator[None]:
        """Call ``act`` at each such moment of the database's engine, for the length of a block."""
        with self.app.app_context():
            engine = db.engine
        event.listen(engine, moment, act)
        try:
            yield
        finally:
            event.remove(engine, moment, act)

    def reopen(self) -> None:
        """Build the app anew, as another process would: this one has let go of nothing that it held."""
        self.app: Flask = create_app(load(self._options))
        parts = self.app.extensions["imgpipe"]
        self.jobs = parts.jobs = Later(vars(parts.jobs)["_backlog"])
        self.client = self.app.test_client()

    def start(self) -> "Service":
        """Bring the schema up to date and mark the storage, as every start does."""
        with self.app.app_context():
            upgrade()
            assert installation.establish() is None
        return self

    def stop(self) -> None:
        """Close the database."""
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()

    @contextmanager
    def asking(self, **event: Any) -> Iterator[Event]:
        """Tell that something is asked for, and what came of it, unless it ends by an error."""
        self._tell({"asked": event})
        answer: Event = {}
        yield answer
        self._tell({"told": event | answer})

    def upload(self, data: bytes, name: str = "photo.png") -> str:
        """Upload a picture and return its id."""
        with self.asking(what="upload", sha256=[digest(data)]) as answer:
            response = self._expect(202, post(self.client, data, name))
            answer["id"] = response["data"]["image_id"]
        return str(answer["id"])

    def delete(self, image_id: str) -> None:
        """Delete a picture."""
        with self.asking(what="delete", id=image_id):
            self._expect(204, self.client.delete(f"/api/images/{image_id}"))

    def retry(self, image_id: str) -> None:
        """Have what failed done again."""
        with self.asking(what="retry", id=image_id):
            self._expect(202, self.client.post(f"/api/images/{image_id}/retry"))

    def comment(self, image_id: str, text: str) -> None:
        """Say something about a picture."""
        with self.asking(what="comment", id=image_id, text=text):
            self._expect(201, self.client.post(f"/api/images/{image_id}/comments", json={"text": text}))

    def look(self, image_id: str) -> Event:
        """Look at a picture; what a client has seen of a finished one must stay so."""
        found: Event = self._expect(200, self.client.get(f"/api/images/{image_id}"))["data"]
        seen = {name: found[name] for name in ("status", "caption", "caption_status")}
        self._tell({"seen": {"id": image_id} | seen})
        return found

    def store(self, log: str, rows: Mapping[float, bytes]) -> None:
        """Send a CSV."""
        width = len(next(iter(rows.values())))
        lines = [f"{depth!r},{','.join(map(str, pixels))}" for depth, pixels in rows.items()]
        csv = "\n".join(["depth" + "".join(f",p{n}" for n in range(width)), *lines, ""]).encode()
        with self.asking(what="store", log=log, rows={repr(d): pixels.hex() for d, pixels in rows.items()}):
            self._expect(201, post_form(self.client, "/api/frames", {"file": ("log.csv", csv)}, log=log))

    def drop(self, log: str) -> None:
        """Delete a depth log."""
        with self.asking(what="drop", log=log):
            self._expect(204, self.client.delete(f"/api/frames/logs/{log}"))

    def command(self, *arguments: str, eager: bool = False, **event: Any) -> str:
        """Run a command, which must succeed; if ``eager``, it is a worker itself."""
        self.jobs.eager = eager
        with self.asking(what=arguments[0], **event):
            result = self.app.test_cli_runner().invoke(args=list(arguments))
            assert result.exit_code == 0, result.output
        self.jobs.eager = False
        return result.output

    def work(self) -> None:
        """Do the work that is due now."""
        self.jobs.work()

    @contextmanager
    def in_a_while(self, steps: int = 1) -> Iterator[None]:
        """Let the clock go ahead, for the length of a block, by so much that all leases run out."""
        clock.replace(partial(add, utc_now(), STEP * steps))
        try:
            yield
        finally:
            clock.replace(None)

    def work_to_the_end(self) -> int:
        """Do all work, letting the time pass that leases and pauses take; returns how much is left."""
        for number in range(ROUNDS):
            with self.in_a_while(number):
                self.work()
                left = self._count_left()
            if not left:
                break
        return left

    def _count_left(self) -> int:
        with self.app.app_context():
            return queue.queued()

    def _expect(self, status: int, response: TestResponse) -> Event:
        assert response.status_code == status, (response.status_code, response.text)
        return response.json or {}


def teller(path: Path) -> Tell:
    """Return a function that writes each event to a file in one call, for a recorder to see when."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def tell(event: Event) -> None:
        os.write(handle, json.dumps(event).encode() + b"\n")

    return tell
