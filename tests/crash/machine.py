"""Use the service in any order that Hypothesis thinks of, beside a model that says what must come of it.

Workers are played, too: they claim, work, renew, give back, die in the middle, or come back long after their
lease has run out; and whatever they do, somebody else may act between two of their steps.
"""

import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import func, select, text, update

from imgpipe import clock
from imgpipe.captions import Caption, CaptionError, Settings
from imgpipe.clock import utc_now
from imgpipe.database.engine import db
from imgpipe.database.models import Base, Comment, Image, Tally, Thumbnail
from imgpipe.jobs.protocol import Backlog, Claim
from imgpipe.pictures import queue, search
from imgpipe.storage.protocol import Storage
from tests.crash.promises import CALLS, Rows, merged, read_log, walk
from tests.crash.service import Event, Scripted, Service, digest
from tests.factories import png

LEASE_S = 30.0
BYTES = [png(20 + n, 10) for n in range(4)]
LOGS = st.sampled_from("ab")
SENTENCE = "a dog on a hill"


class Killed(BaseException):
    """Stand for the end of a process in the middle of its work."""


@dataclass
class Worker:
    """Somebody who holds, or believes to hold, a claim."""

    claim: Claim
    until: datetime
    gave_back: bool = False


@dataclass
class Model:
    """What must be true: pictures by id, their comments, the rows of the logs, the calls paid for."""

    pictures: dict[str, str] = field(default_factory=dict)
    comments: Counter[str] = field(default_factory=Counter)
    logs: dict[str, Rows] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    known: set[tuple[str, str]] = field(default_factory=set)


class Interrupted:
    """A storage between whose steps somebody else acts: ``act`` is called once, before the next step."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.act: Callable[[], None] | None = None

    def __getattr__(self, name: str) -> Any:
        if name in ("put", "open", "delete"):
            self.interrupt()
        return getattr(self._storage, name)

    def interrupt(self) -> None:
        """Let the other act, if there is one."""
        act, self.act = self.act, None
        if act:
            act()


class Use(RuleBasedStateMachine):
    """Name every way to use the service as a rule."""

    service: Service
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
        clock.replace(lambda: self.now)
        self.model = Model()
        self.workers: list[Worker] = []
        self.answer = ""
        self.current: list[str] = []
        Scripted.tell = staticmethod(self._paid)
        Scripted.answers = staticmethod(self._answer)
        parts = self.service.app.extensions["imgpipe"]
        if not isinstance(parts.storage, Interrupted):
            parts.storage = Interrupted(parts.storage)
        self.storage: Interrupted = parts.storage
        self.storage.act = None
        self.parts = parts
        self.backlog: Backlog = vars(self.service.jobs)["_backlog"]

    @initialize()
    def empty(self) -> None:
        """Begin with nothing."""
        with self.service.app.app_context():
            for table in (*reversed(Base.metadata.sorted_tables), text("image_words")):
                if table is not Tally.__table__ and getattr(table, "name", "") != "installation":
                    db.session.execute(text(f"DELETE FROM {getattr(table, 'name', table)}"))
            db.session.execute(update(Tally).values(total=0, success=0, failed=0, worked_ms=0))
            db.session.commit()
            for key, _ in list(self.storage.keys()):
                self.storage.delete(key)

    def teardown(self) -> None:
        """Let everybody come to an end, and look once more."""
        try:
            self.workers.clear()
            self.answer = ""
            self.storage.act = None
            self.current = []
            for _ in range(30):
                self.now += timedelta(seconds=400)
                self.service.work()
            self.what_is_promised_holds()
            self.what_is_kept_fits(at_rest=True)
        finally:
            clock.replace(None)
            Scripted.answers = None
            with self.service.app.app_context():
                db.session.remove()

    # What clients do.

    @rule(number=st.integers(0, len(BYTES) - 1), name=st.sampled_from(["a hill.png", "dog.png"]))
    def upload(self, number: int, name: str) -> None:
        data = BYTES[number]
        self.model.pictures[self.service.upload(data, name)] = digest(data)

    @precondition(lambda self: self.model.pictures)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        self._delete(data.draw(st.sampled_from(sorted(self.model.pictures))))

    @precondition(lambda self: self.model.pictures)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        image_id = data.draw(st.sampled_from(sorted(self.model.pictures)))
        before = self._show(image_id)
        answer = self.service.client.post(f"/api/images/{image_id}/retry")
        failed = before["status"] == "failed" or (
            before["status"] == "success" and before["caption_status"] == "failed"
        )
        assert answer.status_code == (202 if failed else 409), (answer.text, before)
        if failed:
            self.model.calls[image_id] = 0

    @precondition(lambda self: self.model.pictures)
    @rule(data=st.data())
    def comment(self, data: st.DataObject) -> None:
        image_id = data.draw(st.sampled_from(sorted(self.model.pictures)))
        self.service.comment(image_id, "nice")
        self.model.comments[image_id] += 1

    @rule(
        log=LOGS,
        first=st.integers(0, 20),
        count=st.integers(1, 12),
        grey=st.integers(0, 255),
    )
    def store(self, log: str, first: int, count: int, grey: int) -> None:
        rows = {float(first + n): bytes([grey, n, 7]) for n in range(count)}
        self.service.store(log, rows)
        event = {"rows": {repr(depth): pixels.hex() for depth, pixels in rows.items()}}
        self.model.logs[log] = merged(self.model.logs.get(log, {}), event)

    @rule(log=LOGS)
    def drop(self, log: str) -> None:
        expected = 204 if self.model.logs.pop(log, None) else 404
        assert self.service.client.delete(f"/api/frames/logs/{log}").status_code == expected

    @rule(log=LOGS, low=st.integers(-1, 25), span=st.integers(0, 12))
    def read(self, log: str, low: int, span: int) -> None:
        query = {"log": log, "depth_min": low, "depth_max": low + span, "limit": 100}
        answer = self.service.client.get("/api/frames", query_string=query).json or {}
        got = [frame["depth"] for frame in answer["data"]["frames"]] if answer["status"] == "success" else []
        assert got == [depth for depth in self.model.logs.get(log, {}) if low <= depth <= low + span]
        assert read_log(self.service, log) == self.model.logs.get(log, {})

    @rule(model=st.sampled_from(["plain", "other"]))
    def configure(self, model: str) -> None:
        """Another captioner from now on."""
        self.parts.captioner = Scripted(Settings(model=model))

    # What workers do.

    @rule(lane=st.sampled_from(sorted(queue.LANES)))
    def claim(self, lane: str) -> None:
        claim = self.backlog.claim(lane)
        if claim is None:
            assert not self._due(lane), "something is due and nobody gets it"
            return
        for worker in self._holders(claim.image_id):
            assert self.now >= worker.until, f"{worker} holds what is handed out as {claim}"
        self.workers.append(Worker(claim, self.now + timedelta(seconds=LEASE_S)))

    @precondition(lambda self: self.workers)
    @rule(
        data=st.data(),
        answer=st.sampled_from(["", "", "busy", "bad key", "refused", "broken", "killed", "slow"]),
        other=st.sampled_from(["", "", "delete", "work", "late"]),
    )
    def run(self, data: st.DataObject, answer: str, other: str) -> None:
        """Do the work, however late, while another may act in the middle of it."""
        worker = self.workers.pop(data.draw(st.integers(0, len(self.workers) - 1)))
        self.answer = answer
        image_id = str(worker.claim.image_id)
        acts: dict[str, Callable[[], None]] = {
            "delete": lambda: self._delete(image_id),
            "work": self._others_work,
            "late": self._come_late,
        }
        self.storage.act = acts.get(other)
        self.current.append(image_id)
        try:
            self.backlog.run(worker.claim)
        except Killed:
            return
        finally:
            self.storage.act = None
            self.answer = ""
            self.current.pop()

    @rule(
        answers=st.just(["busy"] * 6)
        | st.lists(st.sampled_from(["busy", "killed", "broken", ""]), min_size=3, max_size=6)
    )
    def ask_again_and_again(self, answers: list[str]) -> None:
        """One worker after the other takes the captions up, each as soon as it may."""
        for answer in answers:
            for seconds in (0, 2, 8, 31):
                self.now += timedelta(seconds=seconds)
                if claim := self.backlog.claim(queue.CAPTION):
                    break
            else:
                return
            self.workers = [each for each in self.workers if each.claim.image_id != claim.image_id]
            self.answer = answer
            self.current.append(str(claim.image_id))
            with contextlib.suppress(Killed):
                self.backlog.run(claim)
            self.answer = ""
            self.current.pop()

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(self.workers))
        before = self._row(worker.claim)
        self.backlog.renew([worker.claim])
        if self._is_held(worker, before):
            worker.until = self.now + timedelta(seconds=LEASE_S)
        else:
            assert self._row(worker.claim) == before, "renewed by somebody who holds nothing"

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), goes_on=st.booleans())
    def release(self, data: st.DataObject, goes_on: bool) -> None:
        worker = data.draw(st.sampled_from(self.workers))
        before = self._row(worker.claim)
        self.backlog.release([worker.claim])
        if not self._is_held(worker, before):
            assert self._row(worker.claim) == before, "given back by somebody who holds nothing"
        worker.until, worker.gave_back = self.now, True
        if not goes_on:
            self.workers.remove(worker)

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        self.workers.pop(data.draw(st.integers(0, len(self.workers) - 1)))

    @rule(seconds=st.sampled_from([0.4, 2, 9, 31, 400]))
    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # What must be true after each.

    @invariant()
    def what_is_promised_holds(self) -> None:
        """Every picture once, none that was deleted, its comments, and sums that are right."""
        type(self).steps += 1
        listed = [item["image_id"] for item in walk(self.service, limit=3)]
        assert sorted(listed) == sorted(self.model.pictures)
        assert listed == sorted(listed, reverse=True)
        with self.service.app.app_context():
            columns = (func.sum(getattr(Tally, name)) for name in ("total", "success", "failed", "worked_ms"))
            kept = [int(number) for number in db.session.execute(select(*columns)).one()]
            rows = db.session.execute(select(Image.status, Image.worked_ms)).all()
            counts = select(func.count()).select_from(Comment).group_by(Comment.image_id)
            comments = db.session.scalars(counts).all()
            db.session.rollback()
        status = Counter(row.status for row in rows)
        worked_ms = sum(row.worked_ms for row in rows if row.status == "success")
        assert kept == [len(rows), status["success"], status["failed"], worked_ms]
        assert sorted(comments) == sorted(self.model.comments.values())

    @invariant()
    def what_is_kept_fits(self, at_rest: bool = False) -> None:
        """Every row's files are there; every file has a row, or somebody was at work on it."""
        with self.service.app.app_context():
            pictures = db.session.scalars(select(Image)).all()
            thumbnails = db.session.execute(select(Thumbnail.image_id, Thumbnail.key)).all()
            found = {word: self._search(word) for word in ("dog", "hill")}
            db.session.remove()
        named = {row.key for row in thumbnails} | {row.original_key for row in pictures if row.original_key}
        keys = self.storage.keys()
        stored = {key for key, _ in keys}
        assert named <= stored, named - stored
        for word, ids in found.items():
            assert ids == {row.id for row in pictures if word in f"{row.original_name} {row.caption}"}
        by_id = Counter(row.image_id for row in thumbnails)
        for row in pictures:
            assert row.status != "success" or by_id[row.id] == 3, "a success without its pictures"
            assert (row.stage is None) == (row.due_at is None)
            assert not at_rest or row.stage is None, f"{row.id} never ends: {row.stage}"
            assert row.status != "processing" or row.stage is not None
            if row.caption and row.caption_key:
                self.model.known.add((row.sha256, row.caption_key))

    def _search(self, word: str) -> set[UUID]:
        statement, _ = search.narrow(select(Image), word, db.session())
        return {row.id for row in db.session.scalars(statement)}

    def _delete(self, image_id: str) -> None:
        answer = self.service.client.delete(f"/api/images/{image_id}")
        assert answer.status_code == (204 if image_id in self.model.pictures else 404)
        self.model.pictures.pop(image_id, None)
        self.model.comments.pop(image_id, None)

    def _others_work(self) -> None:
        for lane in queue.LANES:
            if claim := self.backlog.claim(lane):
                self.current.append(str(claim.image_id))
                for worker in self._holders(claim.image_id):
                    assert self.now >= worker.until, f"{worker} holds what is handed out as {claim}"
                self.backlog.run(claim)
                self.current.pop()

    def _come_late(self) -> None:
        """The lease runs out in the middle, and somebody else takes over."""
        self.now += timedelta(seconds=LEASE_S + 1)
        answer, self.answer = self.answer, ""
        self._others_work()
        self.answer = answer

    def _paid(self, event: Event) -> None:
        if "called" not in event or not self.current:
            return
        image_id = self.current[-1]
        self.model.calls[image_id] += 1
        assert self.model.calls[image_id] <= CALLS, (
            f"a caption is paid for {self.model.calls[image_id]} times"
        )
        known = self.model.pictures.get(image_id, ""), self.parts.captioner.fingerprint
        assert known not in self.model.known, "a caption that is known is paid for again"

    def _answer(self, jpeg: bytes) -> Caption:
        answer = self.answer
        self.storage.interrupt()
        if answer == "killed":
            raise Killed
        if answer == "slow":
            self._come_late()
        if answer == "broken":
            raise RuntimeError("the captioner has a bug")
        errors: dict[str, CaptionError] = {
            "busy": CaptionError("rate_limited", "Slow down", retryable=True),
            "bad key": CaptionError("auth_error", "Who are you?", permanent=True),
            "refused": CaptionError("refused", "No."),
        }
        if answer in errors:
            raise errors[answer]
        return Caption(SENTENCE, "scripted", "plain")

    def _holders(self, image_id: UUID) -> list[Worker]:
        return [
            worker for worker in self.workers if worker.claim.image_id == image_id and not worker.gave_back
        ]

    def _row(self, claim: Claim) -> tuple[Any, ...] | None:
        columns = (Image.attempt, Image.stage, Image.due_at, Image.running)
        with self.service.app.app_context():
            row = db.session.execute(select(*columns).where(Image.id == claim.image_id)).one_or_none()
            db.session.rollback()
        return tuple(row) if row else None

    def _is_held(self, worker: Worker, row: tuple[Any, ...] | None) -> bool:
        return row is not None and row[:2] == (worker.claim.attempt, worker.claim.stage) and row[3]

    def _due(self, lane: str) -> bool:
        stages = queue.LANES[lane]
        with self.service.app.app_context():
            due = Image.stage.in_(stages) & (Image.due_at <= utc_now())
            count = db.session.scalar(select(func.count()).where(due))
            db.session.rollback()
        return bool(count)

    def _show(self, image_id: str) -> Event:
        answer = self.service.client.get(f"/api/images/{image_id}")
        assert answer.status_code == 200
        data: Event = (answer.json or {})["data"]
        return data
