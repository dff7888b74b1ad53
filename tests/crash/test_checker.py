"""A history that can't be is found out, and one that can is let pass."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.crash.checker import faults
from tests.crash.history import Deed, End, History, Seen
from tests.crash.paid import sentence

SHOWN = {"status": "success", "caption": sentence(1), "caption_status": "done"}


class Story:
    """Tell what happened, one thing after the other."""

    def __init__(self) -> None:
        self.history = History()
        self._moments = itertools.count(10, 10)

    def add(self, what: str, status: int = 200, *, lasts: int = 5, **about: Any) -> Deed:
        began = next(self._moments)
        deed = Deed(what, status=status, began=began, ended=began + lasts, **about)
        self.history.deeds.append(deed)
        return deed

    def pay(self, number: int, times: int = 1) -> None:
        for _ in range(times):
            self.history.payments.append({"number": number, "at": next(self._moments), "pid": 7})

    @property
    def end(self) -> End:
        return self.history.end


@pytest.fixture
def story() -> Story:
    """Return one where ``a`` and a log stay, ``b`` is deleted, and ``c`` is there though nobody was told."""
    told = Story()
    told.add("upload", 202, sent=1, key="k", told="a")
    told.pay(1)
    told.history.results.append(("a", 1))
    told.add("upload", 202, sent=2, told="b")
    told.add("upload", 0, sent=3)
    told.add("look", about="a", told=SHOWN)
    told.add("comment", 201, about="a", sent=7, key="m")
    told.add("delete", 204, about="b")
    told.add("look", 404, about="b")
    told.add("walk", told=["c", "a"])
    told.add("store", 201, about="log", sent=4)
    told.add("store", 0, about="log", sent=5)
    told.add("read", about="log", told=4)
    told.end.walk = ["c", "a"]
    told.end.pictures = {"a": Seen(1, caption=sentence(1), comments=[7]), "c": Seen(3)}
    told.end.logs = {"log": 5}
    return told


def test_what_can_be_is_let_pass(story: Story) -> None:
    assert list(faults(story.history)) == []


def _forget(story: Story, image_id: str) -> None:
    story.end.walk.remove(image_id)
    del story.end.pictures[image_id]


def _find(story: Story, image_id: str, seen: Seen) -> None:
    story.end.walk.insert(0, image_id)
    story.end.pictures[image_id] = seen


def _two_keys(story: Story) -> None:
    story.add("upload", 202, sent=8, key="x", told="d")
    story.add("upload", 202, sent=8, key="x", told="e")
    _find(story, "d", Seen(8))
    _find(story, "e", Seen(8))


def _gone_too_early(story: Story) -> None:
    story.add("look", 404, about="a")
    story.add("delete", 204, about="a")
    _forget(story, "a")


def _untold(story: Story, sent: int, **about: Any) -> None:
    """Find a picture after an upload that tells no id."""
    story.add("upload", sent=sent, **about)
    _find(story, "f", Seen(sent))


def _fail_and_succeed(story: Story) -> None:
    story.add("look", about="a", told=SHOWN | {"status": "failed"})


def _known_is_paid_for(story: Story) -> None:
    story.add("upload", 202, sent=1, told="twin")
    story.pay(1)
    _find(story, "twin", Seen(1))


BREAKS: dict[str, tuple[Callable[[Story], Any], str]] = {
    "a server error": (lambda it: it.add("look", 500, about="a"), "nobody is promised"),
    "one id for two": (lambda it: it.add("upload", 202, sent=1, told="a"), "was told of 2 uploads"),
    "two ids under one key": (_two_keys, "one upload is told to be"),
    "lost at the end": (lambda it: _forget(it, "a"), "a is lost"),
    "lost for a moment": (lambda it: it.add("look", 404, about="a"), "a is lost to"),
    "gone before the delete was sent": (_gone_too_early, "a is lost to"),
    "back for a moment": (lambda it: it.add("look", about="b", told=SHOWN), "b was deleted and is back"),
    "back at the end": (lambda it: _find(it, "b", Seen(2)), "b was deleted and is there"),
    "twice in a walk": (lambda it: it.add("walk", told=["c", "a", "a"]), "came by a 2 times"),
    "twice in the last walk": (lambda it: it.end.walk.append("a"), "came by a 2 times"),
    "missing in a walk": (lambda it: it.add("walk", told=["c"]), "a walk missed a"),
    "other bytes": (lambda it: setattr(it.end.pictures["a"], "sent", 9), "the bytes of 9"),
    "a file that is gone": (lambda it: it.end.pictures["a"].faults.append("no original"), "no original"),
    "another's caption": (lambda it: setattr(it.end.pictures["c"], "caption", sentence(1)), "is called"),
    "a caption that changes": (lambda it: setattr(it.end.pictures["a"], "caption", None), "the caption of a"),
    "never finished": (
        lambda it: setattr(it.end.pictures["c"], "status", "processing"),
        "ends as processing",
    ),
    "twice of one upload": (lambda it: _find(it, "d", Seen(3)), "2 pictures of 3"),
    "of a refused upload": (
        lambda it: _untold(it, sent=6, status=503, code="busy"),
        "1 pictures of 6",
    ),
    "of an upload with an error": (
        lambda it: _untold(it, sent=6, status=400),
        "1 pictures of 6",
    ),
    "of an upload under a key that was told of another": (
        lambda it: _untold(it, sent=1, status=0, key="k"),
        "1 pictures of 1",
    ),
    "a comment lost": (lambda it: it.end.pictures["a"].comments.clear(), "the comments on a"),
    "a comment twice": (lambda it: it.end.pictures["a"].comments.append(7), "the comments on a"),
    "a comment of nobody": (lambda it: it.end.pictures["a"].comments.append(8), "the comments on a"),
    "a log lost": (lambda it: it.end.logs.update(log=None), "the log log"),
    "an older log": (
        lambda it: (it.add("store", 201, about="log", sent=6), it.add("read", about="log", told=4)),
        "the log log",
    ),
    "half a log": (lambda it: it.add("read", about="log", told=-1), "the log log"),
    "a log that is dropped and there": (
        lambda it: (it.add("drop", 204, about="log"), it.add("read", about="log", told=4)),
        "the log log",
    ),
    "a log not found": (lambda it: it.add("read", 404, about="log"), "the log log"),
    "failed by itself": (_fail_and_succeed, "a was success and became failed by itself"),
    "four payments": (lambda it: it.pay(3, times=4), "3 was paid for 4 times"),
    "a payment for nobody": (lambda it: it.pay(12), "12 was paid for 1 times"),
    "a payment for what is known": (_known_is_paid_for, "1 was paid for 1 times after a"),
    "two results behind one fence": (lambda it: it.history.results.append(("a", 1)), "2 results of a"),
    "what the doctor finds": (lambda it: it.end.faults.append("the doctor finds it"), "the doctor finds"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_cannot_be_is_found(story: Story, name: str) -> None:
    change, words = BREAKS[name]
    change(story)
    found = list(faults(story.history))
    assert any(words in fault for fault in found), found


def _late(story: Story) -> None:
    """What nobody answered for takes effect long after."""
    story.add("delete", 0, about="a")
    story.add("look", about="a", told=SHOWN)
    story.add("look", 404, about="a")
    _forget(story, "a")


def _retried(story: Story) -> None:
    story.add("upload", 202, sent=20, told="r")
    story.add("look", about="r", told={"status": "failed", "caption": None, "caption_status": "skipped"})
    story.add("retry", 202, about="r")
    story.pay(20, times=6)
    _find(story, "r", Seen(20))


def _drop_unanswered(story: Story) -> None:
    story.add("drop", 0, about="log")
    story.end.logs["log"] = None


def _come_again(story: Story) -> None:
    story.add("delete", 204, about="a")
    _forget(story, "a")
    story.add("upload", 202, sent=1, told="d")
    story.pay(1)
    _find(story, "d", Seen(1))


def _stopped_before_the_call(story: Story) -> None:
    story.history.blows.append({"blow": "stop", "began": 1, "ended": 1000, "stopped": 7})
    _known_is_paid_for(story)


def _deleted_in_a_walk(story: Story) -> None:
    story.add("walk", lasts=30, told=["c"])
    story.add("delete", 204, about="a", lasts=1)
    _forget(story, "a")


MAYBE: dict[str, Callable[[Story], Any]] = {
    "a late delete": _late,
    "a retry": _retried,
    "an upload that nobody answered for and that never was": lambda it: _forget(it, "c"),
    "a refused drop": lambda it: it.add("drop", 503, about="log", code="busy"),
    "a drop that nobody answered for": _drop_unanswered,
    "a comment that nobody answered for": lambda it: it.add("comment", 0, about="a", sent=9),
    "a key that is answered again": lambda it: it.add("upload", 202, sent=1, key="k", told="a"),
    "a payment for what was deleted": _come_again,
    "a payment by a process that was stopped before it": _stopped_before_the_call,
    "a delete in the middle of a walk": _deleted_in_a_walk,
}


@pytest.mark.parametrize("name", MAYBE)
def test_what_can_be_though_rarely_is_let_pass(story: Story, name: str) -> None:
    MAYBE[name](story)
    assert list(faults(story.history)) == []
