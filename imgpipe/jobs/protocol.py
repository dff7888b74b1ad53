"""Say what the queue offers to those who work on it, and what the web asks of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to do one stage of one picture until the lease ends; ``attempt`` is the fence."""

    image_id: UUID
    stage: str
    attempt: int
    crashes: int = 0


class Backlog(Protocol):
    """The database queue, as an executor sees it; every method may be called from any thread."""

    def due(self) -> Sequence[str]:
        """Name the lanes in which some work is due now."""

    def claim(self, lane: str) -> Claim | None:
        """Take the piece of work that has been due the longest, or None."""

    def run(self, claim: Claim) -> bool:
        """Do the work and record how it ended; False where what comes next would get no further either."""

    def renew(self, claims: Sequence[Claim]) -> None:
        """Push the end of the lease ahead for work that is still being done."""

    def release(self, claims: Sequence[Claim]) -> None:
        """Give work back untouched, so that another takes it up at once."""


class Jobs(Protocol):
    """Whoever executes the work."""

    def start(self) -> None:
        """Begin to work in this process; calling it again is fine."""

    def wake(self, lane: str) -> None:
        """Say that there is new work in a lane; a hint, never the only way to hear of it."""

    def ping(self) -> None:
        """Raise ``OSError`` when no work is being done although it should be."""

    @property
    def started(self) -> bool:
        """Tell whether this process works, so that there may be something to give back."""

    @property
    def stopping(self) -> bool:
        """Tell whether the process is about to end."""

    def close(self) -> None:
        """Stop taking work and give back what can't be finished at once; ends within a second."""
