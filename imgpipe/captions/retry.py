"""Decide whether a failed caption is tried again, and when."""

import random
from collections.abc import Callable

from imgpipe.captions.outcome import CaptionError

CALLS = 3
STAGE_S = 60.0
_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 8.0


def delay_s(
    error: CaptionError,
    calls: int,
    elapsed_s: float,
    timeout_s: float = 15.0,
    draw: Callable[[], float] = random.random,
) -> float | None:
    """Return the seconds to wait before the next call, or None to give up.

    ``calls`` have been made (at least 1), the first one ``elapsed_s`` ago; a call takes up to
    ``timeout_s``. 0.5 s doubling to 8 s, up to a quarter of it taken off by lot, on top of what the
    provider asked for. At most 3 calls, and the last one ends within 60 s of the first one's start.
    """
    if not error.retryable or calls >= CALLS:
        return None
    backoff_s = min(_FIRST_DELAY_S * 2 ** (calls - 1), _LONGEST_DELAY_S) * (1 - draw() / 4)
    wait_s = (error.retry_after_s or 0.0) + backoff_s
    return wait_s if elapsed_s + wait_s + timeout_s <= STAGE_S else None
