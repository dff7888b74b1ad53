"""Do now and then what nobody waits for, in whichever thread looks after the queue."""

import time
from collections.abc import Callable

EVERY_S = 60.0


class Periodic:
    """Call ``act`` every so often, and again at the next look while it says that there is more to do.

    Nothing of it is remembered over a restart: what is to be done is found where it lies.
    """

    def __init__(self, act: Callable[[], bool], every_s: float = EVERY_S) -> None:
        self.act = act
        self._every_s = every_s
        self._due_at = time.monotonic() + every_s

    def do(self) -> None:
        """Act if it is time; where that raises, the next time is as far away as ever."""
        now = time.monotonic()
        if now < self._due_at:
            return
        self._due_at = now + self._every_s
        if self.act():
            self._due_at = now
