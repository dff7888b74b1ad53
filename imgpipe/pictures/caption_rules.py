"""Decide about a picture's caption: whether to ask, what to do until then, and what an answer means.

Nothing here reads a row or a clock: what counts is in a ``Situation``, and what follows is a value.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from imgpipe.captions import Caption, CaptionError, delay_s
from imgpipe.captions.retry import CALLS, STAGE_S
from imgpipe.pictures.outcome import Done, Later
from imgpipe.pictures.queue import PAUSED, RECAPTION
from imgpipe.text import clean_json, clean_text

TWIN_S = 0.5
AWAY_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known of a picture before it is asked about.

    ``calls`` were made for it, the first one at ``began_at``. ``known`` is the caption that the same bytes
    have from this captioner, as columns; ``twin_is_asked``: a call about the same bytes is under way.
    ``pause`` is the reason why nobody may call, ``probing`` that a pause has run out and this would be the
    first call since. ``closed``: no machine may caption it. ``asked`` is what its source tells of the prompt,
    and ``own_model`` that another model than usual was asked for, whose faults pause nobody else.
    """

    now: datetime
    timeout_s: float = 15.0
    calls: int = 0
    began_at: datetime | None = None
    has_caption: bool = False
    closed: bool = False
    known: Mapping[str, Any] | None = None
    twin_is_asked: bool = False
    pause: str | None = None
    probing: bool = False
    asked: Mapping[str, Any] = field(default_factory=dict)
    own_model: bool = False

    @property
    def elapsed_s(self) -> float:
        """Return the time since the first call; a clock that was set back makes it no less than nothing."""
        return max(0.0, (self.now - self.began_at).total_seconds()) if self.began_at else 0.0


@dataclass(frozen=True, slots=True)
class Ask:
    """Make call number ``calls``, the first of which began at ``began_at``."""

    calls: int
    began_at: datetime


def before_call(it: Situation) -> Ask | Done | Later:
    """Decide whether to ask: not over a person's head, nor twice for the same bytes, nor a fourth time."""
    if it.closed:
        return skip(it.has_caption)
    if it.known:
        values = {**it.known, "caption_status": "done", "caption_error": None}
        return Done(line="captioned like the same bytes before", values=values)
    if it.twin_is_asked:
        return Later(line="waiting for the caption of the same bytes", delay_s=TWIN_S)
    if it.pause:
        return park(CaptionError("paused", f"Captioning is paused: {it.pause}"))
    if it.calls >= CALLS:
        return without(CaptionError("upstream_error", f"{CALLS} calls brought no answer."), it)
    if it.calls and it.elapsed_s + it.timeout_s > STAGE_S:
        return without(CaptionError("timeout", "There was no time left for another try."), it)
    return Ask(it.calls + 1, it.began_at or it.now)


def after_call(
    answer: Caption | CaptionError,
    it: Situation,
    asked: Ask,
    *,
    fingerprint: str,
    worked_ms: int,
    draw: Callable[[], float] = random.random,
) -> Done | Later:
    """Decide what an answer means; ``it.now`` is when it came."""
    if isinstance(answer, Caption):
        return _captioned(answer, it, fingerprint, worked_ms)
    if it.probing and pauses(
        answer, it
    ):  # it has waited once already, and is no more at fault than the others
        return park(answer, worked_ms)
    elapsed_s = max(0.0, (it.now - asked.began_at).total_seconds())
    wait_s = delay_s(answer, asked.calls, elapsed_s, it.timeout_s, draw)
    if wait_s is None:
        return without(answer, it, worked_ms)
    line = f"caption retried in {wait_s:.1f} s: {answer.code}: {answer.message}"
    return Later(line=line, delay_s=wait_s, then=RECAPTION, worked_ms=worked_ms)


def without(error: CaptionError, it: Situation, worked_ms: int = 0) -> Done:
    """End without a new caption; an older one stays, and stays ``done``."""
    values = {"caption_status": "done" if it.has_caption else "failed", "caption_error": _content(error)}
    if not it.has_caption:
        values["caption_raw"] = clean_json(error.raw)
    return Done(line=f"caption failed: {error.code}: {error.message}", worked_ms=worked_ms, values=values)


def park(error: CaptionError, worked_ms: int = 0) -> Done:
    """Let the picture succeed now, and its caption wait until captioning goes on."""
    values = {
        "caption_status": "pending",
        "caption_error": _content(error),
        "caption_calls": 0,
        "caption_began_at": None,
    }
    line = f"caption waits: {error.code}: {error.message}"
    return Done(line=line, then=PAUSED, worked_ms=worked_ms, values=values)


def skip(has_caption: bool) -> Done:
    """End without asking anybody."""
    status = "done" if has_caption else "skipped"
    return Done(line="caption skipped", values={"caption_status": status, "caption_error": None})


def pauses(answer: Caption | CaptionError, it: Situation) -> bool:
    """Tell whether an answer says that every further call would fail as well."""
    return isinstance(answer, CaptionError) and answer.permanent and not it.own_model


def storage_away(it: Situation, reason: str) -> Later:
    """Take back the call that was noted and not made."""
    values = {"caption_calls": it.calls, "caption_began_at": it.began_at}
    line = f"storage is away, the caption waits: {reason}"
    return Later(line=line, delay_s=AWAY_S, values=values, stalled=True)


def _captioned(made: Caption, it: Situation, fingerprint: str, worked_ms: int) -> Done:
    values = {
        "caption": clean_text(made.text, 1000),
        "caption_status": "done",
        "caption_error": None,
        "caption_source": {"provider": made.provider, "model": made.model, **it.asked},
        "caption_raw": clean_json(made.raw),
        "caption_key": fingerprint,
    }
    return Done(line=f"captioned by {made.provider} {made.model}", worked_ms=worked_ms, values=values)


def _content(error: CaptionError) -> Any:
    return clean_json(
        {"code": error.code, "message": error.message, "type": error.type, "param": error.param}
    )
