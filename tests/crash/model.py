"""Keep a model of what the service must say, and the people who play its workers."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from imgpipe.jobs.protocol import Claim
from imgpipe.storage.protocol import Storage
from tests.crash.promises import Rows
from tests.factories import png

LEASE_S = 30.0
STRAY_S = 120.0  # nothing is put off longer: what is due later was put off by another clock
BYTES = [png(20 + n, 10) for n in range(4)]
LOGS = st.sampled_from("ab")
SENTENCE = "a dog on a hill"


class Killed(BaseException):
    """Stand for the end of a process in the middle of its work."""


@dataclass
class Worker:
    """Somebody who holds, or believes to hold, a claim."""

    claim: Claim
    until: datetime
    gave_back: bool = False


@dataclass
class Model:
    """What must be true: pictures by id, their comments, the rows of the logs, the calls paid for,
    labels by id, and what was sent under idempotency keys."""

    pictures: dict[str, str] = field(default_factory=dict)
    comments: Counter[str] = field(default_factory=Counter)
    logs: dict[str, Rows] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    known: set[tuple[str, str]] = field(default_factory=set)
    labels: dict[str, list[str]] = field(default_factory=dict)
    keys: dict[str, tuple[int, str]] = field(default_factory=dict)  # the number sent under a key, and the id


class Interrupted:
    """A storage between whose steps somebody else acts: ``act`` is called once, before the next step."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.act: Callable[[], None] | None = None

    def __getattr__(self, name: str) -> Any:
        if name in ("put", "put_all", "open", "delete"):
            self.interrupt()
        return getattr(self._storage, name)

    def interrupt(self) -> None:
        """Let the other act, if there is one."""
        act, self.act = self.act, None
        if act:
            act()
