"""Describe what a well file holds; plain values, so that they can pass from process to process as JSON."""

from dataclasses import dataclass, field
from math import prod
from typing import Any, Protocol

from numpy.typing import NDArray


class Refusal(Exception):
    """Say in one sentence, fit for a stranger, why a file is not taken."""


def refusal(what: str, error: Exception) -> Refusal:
    """Make a sentence of what a reader says of a damaged file."""
    text = str(error.args[0]) if error.args else type(error).__name__
    lines = text.strip().splitlines() or [type(error).__name__]
    return Refusal(f"{what}: {lines[0][:200].rstrip('.')}.")


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: ``shape`` of what it has at a depth, () for a single value; its range where it has one.

    ``kind`` is a NumPy type's name, ``text`` for anything that is not numbers.
    """

    name: str
    unit: str
    shape: tuple[int, ...]
    kind: str
    minimum: float | None = None
    maximum: float | None = None

    @property
    def width(self) -> int:
        """Return how many values it has at a depth."""
        return prod(self.shape)

    def describe(self) -> str:
        """Name the channel and the form of its values, such as ``AMP (200)``."""
        form = " x ".join(map(str, self.shape)) or "1"
        return f"{self.name} ({'text' if self.kind == 'text' else form})"


@dataclass(frozen=True, slots=True)
class Frame:
    """Channels over one index, of which ``index_type`` says whether it is ``depth``, ``time`` or ``unknown``.

    ``direction`` is ``increasing``, ``decreasing``, ``none`` or, unseen, ``unknown``; ``spacing`` the median
    step of the index in its ``unit``, without sign; ``problem`` why nothing can be made of the frame.
    """

    name: str
    index: str
    index_type: str
    unit: str
    channels: list[Channel] = field(default_factory=list)
    direction: str = "unknown"
    spacing: float | None = None
    rows: int = 0
    first: float | None = None
    last: float | None = None
    problem: str | None = None


class File(Protocol):
    """A well file that has been opened: its frames as far as headers tell, and what is in them."""

    frames: list[Frame]
    null: float | None

    def load(self, number: int) -> tuple[NDArray[Any], list[NDArray[Any]]]:
        """Return the index of a frame, (n,), and its channels, (n, …). Raises: Refusal."""


def frame_from(data: dict[str, Any]) -> Frame:
    """Make a frame of what ``asdict`` and JSON made of it."""
    channels = [Channel(**{**each, "shape": tuple(each["shape"])}) for each in data["channels"]]
    return Frame(**{**data, "channels": channels})
