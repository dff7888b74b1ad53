"""Keep part of a process's request threads free, whatever the others wait for."""

import threading

from imgpipe.extensions import parts


class Share:
    """Let one of ``of`` request threads, and always one at least, do something; the rest go on serving."""

    def __init__(self, of: int) -> None:
        self._of = of
        self._lock = threading.Lock()
        self._taken = 0

    def enter(self) -> bool:
        """Take a place; False when there is none left."""
        with self._lock:
            if self._taken >= max(1, parts.settings.web_threads // self._of):
                return False
            self._taken += 1
            return True

    def leave(self) -> None:
        """Give the place back."""
        with self._lock:
            self._taken -= 1
