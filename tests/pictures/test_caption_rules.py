"""What is to become of a caption: the rules as a table of cases, without a row, a clock or a provider."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from imgpipe.captions import Caption, CaptionError
from imgpipe.pictures import caption_rules as rules
from imgpipe.pictures.caption_rules import Ask, Situation
from imgpipe.pictures.outcome import Done, Later
from imgpipe.pictures.queue import PAUSED, RECAPTION

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BARE = Situation(now=NOW)
KNOWN = {"caption": "A dog", "caption_key": "f"}


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def asked(calls: int = 1, began_s: float = 0) -> Ask:
    return Ask(calls, ago(began_s))


def answered(answer: Caption | CaptionError, it: Situation = BARE, ask: Ask | None = None) -> Done | Later:
    return rules.after_call(answer, it, ask or asked(), fingerprint="f", worked_ms=7, draw=lambda: 0.0)


def code(outcome: Any) -> Any:
    error = outcome.values.get("caption_error")
    return error and error["code"]


@pytest.mark.parametrize(
    ("changes", "calls", "began_at"),
    [
        ({}, 1, NOW),
        ({"calls": 1, "began_at": ago(10)}, 2, ago(10)),
        ({"calls": 2, "began_at": ago(45)}, 3, ago(45)),
        ({"calls": 1, "began_at": ago(-3600)}, 2, ago(-3600)),  # the clock was set back
        ({"has_caption": True}, 1, NOW),
        ({"probing": True}, 1, NOW),
    ],
)
def test_it_is_asked_about(changes: dict[str, Any], calls: int, began_at: datetime) -> None:
    assert rules.before_call(replace(BARE, **changes)) == Ask(calls, began_at)


@pytest.mark.parametrize(
    ("changes", "status", "error", "then"),
    [
        # What a person wrote stands above everything.
        ({"closed": True, "pause": "no money", "known": KNOWN}, "skipped", None, None),
        # What is known costs nothing, so neither a pause nor a twin is waited for.
        ({"known": KNOWN, "pause": "no money", "twin_is_asked": True}, "done", None, None),
        ({"known": KNOWN, "calls": 3, "began_at": ago(500)}, "done", None, None),
        # A pause lets the picture succeed, and its caption wait.
        ({"pause": "no money"}, "pending", "paused", PAUSED),
        ({"pause": "no money", "calls": 1, "began_at": ago(1)}, "pending", "paused", PAUSED),
        # Three calls, and a minute, are all there is.
        ({"calls": 3, "began_at": ago(1)}, "failed", "upstream_error", None),
        ({"calls": 1, "began_at": ago(46)}, "failed", "timeout", None),
        ({"calls": 3, "began_at": ago(1), "has_caption": True}, "done", "upstream_error", None),
    ],
)
def test_it_is_not_asked_about(changes: dict[str, Any], status: str, error: str | None, then: str) -> None:
    outcome = rules.before_call(replace(BARE, **changes))
    assert isinstance(outcome, Done)
    assert (outcome.values["caption_status"], code(outcome), outcome.then) == (status, error, then)


def test_a_call_about_the_same_bytes_is_waited_for_whichever_is_older() -> None:
    outcome = rules.before_call(replace(BARE, twin_is_asked=True, pause="no money", calls=3))
    assert isinstance(outcome, Later)
    assert (outcome.delay_s, outcome.then) == (rules.TWIN_S, None)


def test_a_caption_is_kept_with_its_source_and_key() -> None:
    outcome = answered(Caption("A dog", "openai", "v1", {"raw": 1}))
    assert isinstance(outcome, Done)
    assert (outcome.then, outcome.worked_ms, outcome.values) == (
        None,
        7,
        {
            "caption": "A dog",
            "caption_status": "done",
            "caption_error": None,
            "caption_source": {"provider": "openai", "model": "v1"},
            "caption_raw": {"raw": 1},
            "caption_key": "f",
        },
    )


PASSING = CaptionError("upstream_error", "It broke.", retryable=True)
FINAL = CaptionError("refused", "No.")
LASTING = CaptionError("auth_error", "Wrong key.", permanent=True)
RATED = CaptionError("rate_limited", "Slow down.", retryable=True, retry_after_s=20)


@pytest.mark.parametrize(
    ("error", "ask", "delay_s"),
    [
        (PASSING, asked(1), 0.5),
        (PASSING, asked(2, 20), 1.0),
        (RATED, asked(1), 20.5),
        (PASSING, asked(1, -3600), 0.5),
    ],
)
def test_a_passing_fault_is_tried_again_later(error: CaptionError, ask: Ask, delay_s: float) -> None:
    outcome = answered(error, BARE, ask)
    assert isinstance(outcome, Later)
    assert (outcome.delay_s, outcome.then, outcome.stalled) == (delay_s, RECAPTION, False)


@pytest.mark.parametrize(
    ("error", "it", "ask", "status", "then"),
    [
        (FINAL, BARE, asked(1), "failed", None),
        (PASSING, BARE, asked(3), "failed", None),
        (PASSING, BARE, asked(1, 45), "failed", None),
        (LASTING, BARE, asked(1), "failed", None),
        (FINAL, replace(BARE, has_caption=True), asked(1), "done", None),
        (LASTING, replace(BARE, has_caption=True), asked(1), "done", None),
        # Whoever tries first after a pause waits on with the others.
        (LASTING, replace(BARE, probing=True), asked(1), "pending", PAUSED),
        (FINAL, replace(BARE, probing=True), asked(1), "failed", None),
        # A model that somebody named says nothing of the usual one.
        (LASTING, replace(BARE, probing=True, own_model=True), asked(1), "failed", None),
    ],
)
def test_a_fault_ends_it(error: CaptionError, it: Situation, ask: Ask, status: str, then: str | None) -> None:
    outcome = answered(error, it, ask)
    assert isinstance(outcome, Done)
    assert (outcome.values["caption_status"], code(outcome), outcome.then) == (status, error.code, then)
    assert "caption" not in outcome.values


def test_an_old_caption_keeps_the_answer_that_it_came_from() -> None:
    assert "caption_raw" not in rules.without(FINAL, replace(BARE, has_caption=True)).values


def test_a_call_that_was_noted_and_not_made_is_taken_back() -> None:
    outcome = rules.storage_away(replace(BARE, calls=1, began_at=ago(5)), "it is gone")
    assert outcome.values == {"caption_calls": 1, "caption_began_at": ago(5)}
    assert outcome.stalled
