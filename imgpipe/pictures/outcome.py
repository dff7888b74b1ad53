"""Say what is to become of a claimed picture: small values that one place writes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imgpipe.jobs.protocol import Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The stage is done; ``then`` is the picture's next stage, None where nothing is left to do.

    ``values`` go into its row, ``thumbnails`` are the rows of its derivatives. ``made`` are the keys of the
    files that were written, ``frees`` of those that no row names afterwards.
    """

    line: str
    then: str | None = None
    worked_ms: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)
    thumbnails: Sequence[Mapping[str, Any]] = ()
    made: Sequence[str] = ()
    frees: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """The work is due again in ``delay_s``, in the stage ``then``, the same where that is None.

    ``stalled`` says that the same awaits whatever comes next, so that a worker had better slow down.
    """

    line: str
    delay_s: float
    then: str | None = None
    worked_ms: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)
    stalled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The picture is at its end, for a reason that its client is told."""

    line: str
    code: str
    sentence: str
    worked_ms: int = 0


Outcome = Done | Later | Failed


@dataclass(frozen=True, slots=True)
class Stage:
    """What a worker does with a claim: ``work``, or ``give_up`` where that crashed too often.

    None means that the claim no longer held, and nothing is to be written.
    """

    work: Callable[[Claim], Outcome | None]
    give_up: Callable[[Claim], Outcome | None]
