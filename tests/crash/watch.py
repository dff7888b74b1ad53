"""Start from nothing, and look after each step whether all that the service says and keeps fits together."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant
from sqlalchemy import func, select, text, update

from imgpipe import clock
from imgpipe.captions import Caption, CaptionError
from imgpipe.clock import utc_now
from imgpipe.database.engine import db
from imgpipe.database.models import Base, Comment, Image, Tally, Thumbnail
from imgpipe.jobs.protocol import Backlog, Claim
from imgpipe.pictures import queue, search
from tests.crash.model import LEASE_S, SENTENCE, STRAY_S, Interrupted, Killed, Model, Worker
from tests.crash.promises import CALLS, walk
from tests.crash.service import Event, Scripted, Service

SUMS = ("total", "success", "failed", "worked_ms", "stored_bytes")


class Watched(RuleBasedStateMachine):
    """Hold the service, the model, and what must be true of both."""

    service: Service
    examples = 0
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
        type(self).examples += 1
        with self.service.app.app_context():
            for table in (*reversed(Base.metadata.sorted_tables), text("image_words")):
                if table is not Tally.__table__ and getattr(table, "name", "") != "installation":
                    db.session.execute(text(f"DELETE FROM {getattr(table, 'name', table)}"))
            db.session.execute(update(Tally).values(dict.fromkeys(SUMS, 0)))
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

    # What must be true after each.

    @invariant()
    def what_is_promised_holds(self) -> None:
        """Every picture once, none that was deleted, its comments, and sums that are right."""
        type(self).steps += 1
        listed = [item["image_id"] for item in walk(self.service, limit=3)]
        assert sorted(listed) == sorted(self.model.pictures)
        assert listed == sorted(listed, reverse=True)
        with self.service.app.app_context():
            sums = (func.sum(getattr(Tally, name)) for name in SUMS)
            kept = [int(number) for number in db.session.execute(select(*sums)).one()]
            columns = (Image.status, Image.worked_ms, Image.original_key, Image.size_bytes)
            rows = db.session.execute(select(*columns)).all()
            made = db.session.scalar(select(func.coalesce(func.sum(Thumbnail.size_bytes), 0)))
            counts = select(func.count()).select_from(Comment).group_by(Comment.image_id)
            comments = db.session.scalars(counts).all()
            db.session.rollback()
        status = Counter(row.status for row in rows)
        worked_ms = sum(row.worked_ms for row in rows if row.status == "success")
        stored_bytes = int(made or 0) + sum(row.size_bytes for row in rows if row.original_key)
        assert kept == [len(rows), status["success"], status["failed"], worked_ms, stored_bytes]
        assert sorted(comments) == sorted(self.model.comments.values())
        labels = (self.service.client.get("/api/labels?limit=100").json or {})["data"]
        counted = Counter(label for given in self.model.labels.values() for label in given)
        assert {each["label"]: each["count"] for each in labels} == counted

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
        self.model.labels.pop(image_id, None)

    def _others_work(self) -> None:
        for lane in queue.LANES:
            if claim := self.backlog.claim(lane):
                self.current.append(str(claim.image_id))
                self._nobody_holds(claim)
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

    def _nobody_holds(self, claim: Claim) -> None:
        """A lease may be taken over when it has run out, or when the clock was set back to long before it."""
        for worker in self._holders(claim.image_id):
            is_over = self.now >= worker.until or worker.until - self.now > timedelta(seconds=STRAY_S)
            assert is_over, f"{worker} holds what is handed out as {claim}"

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
