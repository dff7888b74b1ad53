"""Use the service in any order that Hypothesis thinks of, beside a model that says what must come of it.

Workers are played, too: they claim, work, renew, give back, die in the middle, or come back long after their
lease has run out; and whatever they do, somebody else may act between two of their steps.
"""

import contextlib
from collections.abc import Callable
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from imgpipe.captions import Settings
from imgpipe.pictures import queue
from tests.crash.model import BYTES, LEASE_S, LOGS, Killed, Worker
from tests.crash.promises import merged, read_log, walk
from tests.crash.service import Event, Scripted, digest
from tests.crash.watch import Watched


class Use(Watched):
    """Name every way to use the service as a rule."""

    # What clients do.

    @rule(number=st.integers(0, len(BYTES) - 1), name=st.sampled_from(["a hill.png", "dog.png"]))
    def upload(self, number: int, name: str) -> None:
        data = BYTES[number]
        self.model.pictures[self.service.upload(data, name)] = digest(data)

    @rule(number=st.integers(0, len(BYTES) - 1), key=st.sampled_from(["one", "two"]))
    def upload_once(self, number: int, key: str) -> None:
        """Send it under a key, perhaps again, perhaps after it was deleted, perhaps with other bytes."""
        before, image_id = self.model.keys.get(key, (number, ""))
        headers = {"Idempotency-Key": key, "Content-Type": "image/png"}
        answer = self.service.client.post("/api/images", data=BYTES[number], headers=headers)
        told: Event = answer.json or {}
        if before != number:
            assert (answer.status_code, told["code"]) == (400, "idempotency_mismatch")
            return
        assert answer.status_code == 202, answer.text
        assert ("Idempotent-Replayed" in answer.headers) == bool(image_id)
        assert told["data"]["image_id"] == (image_id or told["data"]["image_id"])
        if not image_id:
            self.model.keys[key] = number, told["data"]["image_id"]
            self.model.pictures[told["data"]["image_id"]] = digest(BYTES[number])

    @precondition(lambda self: self.model.pictures)
    @rule(data=st.data(), labels=st.lists(st.sampled_from(["core", "log", "thin section"]), unique=True))
    def label(self, data: st.DataObject, labels: list[str]) -> None:
        image_id = data.draw(st.sampled_from(sorted(self.model.pictures)))
        answer = self.service.client.patch(f"/api/images/{image_id}", json={"labels": labels})
        assert answer.status_code == 200, answer.text
        self.model.labels[image_id] = labels
        for label in labels:
            having = {each for each, given in self.model.labels.items() if label in given}
            assert {item["image_id"] for item in walk(self.service, limit=2, label=label)} == having

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
        self._nobody_holds(claim)
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

    @rule(seconds=st.sampled_from([1, 20, 100, 4000]))
    def set_the_clock_back(self, seconds: int) -> None:
        self.now -= timedelta(seconds=seconds)
