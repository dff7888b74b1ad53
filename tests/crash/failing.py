"""Let the Nth call of a kind fail while the service does a step, and see what it says and what it leaves."""

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing
from ctypes import CDLL
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from traceback import format_exc
from typing import Any
from unittest import mock

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from werkzeug.test import TestResponse

from imgpipe.database import lookup
from imgpipe.database.engine import db
from imgpipe.database.models import Image, Thumbnail
from imgpipe.database.sqlitefile import sqlite
from tests.crash import strace
from tests.crash.points import ANYBODY, PR_SET_PTRACER, WARM
from tests.crash.promises import walk
from tests.crash.service import CAPTIONER, Service
from tests.factories import jpeg, png, post, post_form

Fault = Callable[[], AbstractContextManager[list[bool]]]
DONE, REFUSED = "done", "refused"
CSV = b"depth,a,b\n" + b"".join(b"%d.5,1,2\n" % n for n in range(40))


@dataclass(frozen=True)
class Step:
    """Something that a client or operator does; ``prepare`` returns what ``do`` needs."""

    do: Callable[[Service, Any], str]
    prepare: Callable[[Service], Any] = lambda service: None


def _upload(service: Service, _: Any) -> str:
    return _verdict(post(service.client, png(30, 20)), 202)


def _work(service: Service, _: Any) -> str:
    try:
        service.work()
    except DBAPIError:  # a worker would look again a moment later
        return REFUSED
    return DONE


def _delete(service: Service, image_id: str) -> str:
    return _verdict(service.client.delete(f"/api/images/{image_id}"), 204, 404)


def _comment(service: Service, image_id: str) -> str:
    answer = service.client.post(f"/api/images/{image_id}/comments", json={"text": "nice"})
    return _verdict(answer, 201)


def _store(service: Service, _: Any) -> str:
    return _verdict(post_form(service.client, "/api/frames", {"file": ("a.csv", CSV)}, log="well"), 201)


def _drop(service: Service, _: Any) -> str:
    return _verdict(service.client.delete("/api/frames/logs/well"), 204, 404)


def _see(service: Service, image_id: str) -> str:
    paths = ("", "/original", "/thumbnails/medium", "/comments")
    answers = [service.client.get(f"/api/images/{image_id}{path}", buffered=True) for path in paths]
    verdicts = {_verdict(answer, 200) for answer in answers}
    return verdicts.pop() if len(verdicts) == 1 else next(v for v in sorted(verdicts) if v != DONE)


def _export(service: Service, _: Any) -> str:
    arguments = ["images", "export", str(service.folder / "out"), "--format", "imagefolder"]
    result = service.app.test_cli_runner().invoke(args=arguments)
    if result.exit_code and "Traceback" not in result.output and "Error: " in result.output:
        return REFUSED
    return DONE if result.exit_code == 0 else f"exit {result.exit_code}: {result.output} {result.exception!r}"


def _queued(service: Service) -> str:
    return service.upload(jpeg(40, 30))


def _finished(service: Service) -> str:
    image_id = service.upload(jpeg(40, 30))
    service.work()
    return image_id


def _stored(service: Service) -> None:
    assert _store(service, None) == DONE


STEPS: Mapping[str, Step] = {
    "upload": Step(_upload),
    "work": Step(_work, _queued),
    "delete": Step(_delete, _finished),
    "comment": Step(_comment, _finished),
    "see": Step(_see, _finished),
    "store": Step(_store),
    "drop": Step(_drop, _stored),
    "export": Step(_export, _finished),
}


def _verdict(answer: TestResponse, *good: int) -> str:
    if answer.status_code in good:
        return DONE
    body = answer.get_json(silent=True) or {}
    if answer.status_code == 503 and body.get("code") == "unavailable" and "Retry-After" in answer.headers:
        return REFUSED
    return f"{answer.status_code} {answer.text[:200]}"


@dataclass
class Outcome:
    """What a step said while one call failed, what it left, and how it went without the failure."""

    said: str
    left: list[str] = field(default_factory=list)
    again: str = DONE
    litter: int = 0
    hit: bool = False


class Subject:
    """A service in a process of its own, which does one step after the other and is never started again."""

    def __init__(self, folder: Path, options: Mapping[str, str]) -> None:
        self._pipe, theirs = WARM.Pipe()
        self._process = WARM.Process(target=_serve, args=(folder, dict(options), theirs))
        self._process.start()
        theirs.close()
        self.pid = self._process.pid or 0
        self._receive()

    def do(self, name: str, fault: Fault) -> Outcome:
        """Do a step; the fault is there while it is done for the first time."""
        self._pipe.send(name)
        self._receive()
        with fault() as hit:
            self._pipe.send("go")
            reached = self._receive()
        self._pipe.send("go on")
        outcome = self._receive()
        assert isinstance(outcome, Outcome)
        outcome.hit = bool(reached and hit and hit[0])
        return outcome

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._pipe.send("")
        self._process.join(10)
        self._process.kill()
        self._pipe.close()

    def _receive(self) -> object:
        answer, fault = self._pipe.recv()
        assert fault is None, fault
        return answer


class Here:
    """A service in this very process, for faults that are made inside it."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def do(self, name: str, fault: Fault) -> Outcome:
        """Do a step; the fault is there while it is done for the first time."""
        with contextlib.ExitStack() as stack:
            hits: list[list[bool]] = []
            outcome = _try(
                self.service, STEPS[name], lambda: hits.append(stack.enter_context(fault())), stack.close
            )
        outcome.hit = any(hits[0])
        return outcome


@contextlib.contextmanager
def refusing(service: Service, sentence: str, number: int) -> Iterator[list[bool]]:
    """Let the Nth statement to the database fail with a sentence of SQLite's; the list learns of it.

    Look-ups, which go to the driver itself, count as the others do.
    """
    hit: list[bool] = []
    counted = itertools.count(1)

    def refuse(*_: Any) -> None:
        if next(counted) == number:
            hit.append(True)
            raise sqlite.OperationalError(sentence)

    def ask(*asked: Any) -> Any:
        refuse()
        return run(*asked)

    run = lookup._run
    with service.listening("do_execute", refuse), mock.patch.object(lookup, "_run", ask):
        yield hit


def _serve(folder: Path, options: dict[str, str], pipe: Connection) -> None:
    CDLL(None).prctl(PR_SET_PTRACER, ANYBODY, 0, 0, 0)
    os.environ.update({name: value for name, value in options.items() if name.startswith("AWS_")})
    with closing(pipe):
        try:
            service = Service(folder, {"IMGPIPE_CAPTIONER": CAPTIONER, **options}).start()
            for name in STEPS:  # what is loaded at the first time must not be what fails
                _try(service, STEPS[name], lambda: None)
            pipe.send(("ready", None))
            while name := pipe.recv():
                pipe.send((_try(service, STEPS[name], lambda: _wait(pipe), lambda: _wait(pipe)), None))
        except BaseException:
            pipe.send((None, format_exc()))


def _wait(pipe: Connection) -> None:
    """Say that it is the parent's turn; where this is what fails, it did not fail before."""
    try:
        pipe.send((True, None))
    except OSError:
        pipe.send((False, None))
    pipe.recv()


def _try(
    service: Service, step: Step, before: Callable[[], None], after: Callable[[], None] = lambda: None
) -> Outcome:
    about = step.prepare(service)
    before()
    outcome = Outcome(_told(step, service, about))
    after()
    outcome.again = _told(step, service, about)
    left = service.work_to_the_end()
    if left:
        outcome.left.append(f"{left} pictures are stuck")
    outcome.left += _wrong(service, outcome)
    for item in walk(service, limit=500):
        service.delete(item["image_id"])
    return outcome


def _told(step: Step, service: Service, about: Any) -> str:
    try:
        return step.do(service, about)
    except Exception:
        return format_exc()


def _wrong(service: Service, outcome: Outcome) -> Iterator[str]:
    """Compare rows, files and sums."""
    items = walk(service, limit=500)
    stats = (service.client.get("/api/stats").json or {})["data"]
    if stats["total"] != len(items) or stats["success"] != len(items):
        yield f"{len(items)} pictures, {stats}, {[item['error_code'] for item in items]}"
    with service.app.app_context():
        named = set(db.session.scalars(select(Thumbnail.key)))
        named |= set(filter(None, db.session.scalars(select(Image.original_key))))
        db.session.rollback()
        keys = service.app.extensions["imgpipe"].storage.keys()
        stored = {key for key, _ in keys}
    for key in named - stored:
        yield f"{key} is not there"
    litter = {key for key in stored - named if not key.startswith(".")}
    outcome.litter = len(litter)
    for key in litter:  # the next case is not to stumble over it
        service.app.extensions["imgpipe"].storage.delete(key)


@contextlib.contextmanager
def failing(pid: int, output: Path, name: str, error: str, number: int) -> Iterator[list[bool]]:
    """Let the Nth call of this name fail with an error; the list learns whether there was one."""
    hit: list[bool] = []
    inject = f"inject={name}:error={error}:when={number}"
    with strace.attached(pid, output, "-e", f"trace={name}", "-e", inject):
        yield hit
    hit.append("(INJECTED)" in output.read_text(encoding="ascii"))


# What SQLite says when it can't.
SENTENCES = ("database is locked", "database or disk is full", "disk I/O error")
# Which calls of the system fail, and how.
FAULTS = (
    *(
        (name, error)
        for name in ("write", "pwrite64", "openat", "mkdir", "fsync", "fdatasync")
        for error in ("ENOSPC", "EIO")
    ),
    *((name, "EACCES") for name in ("openat", "rename", "unlink", "mkdir")),
)
