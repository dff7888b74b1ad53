"""Write down what clients sent and what they were told, with the moments of both."""

import itertools
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

# Answers after which it has not happened: whatever else is no success leaves that open.
REFUSALS = ("busy",)


@dataclass
class Deed:
    """One request: moments are nanoseconds of the machine's own clock, which nobody moves.

    ``about`` is a picture's id or a log's name, ``sent`` the number of what was sent, ``key`` what requests
    have in common of which only one may count; ``told`` is what a good answer said.
    """

    what: str
    about: str = ""
    sent: int = 0
    key: str = ""
    began: float = 0
    ended: float = inf
    status: int = 0
    code: str = ""
    told: Any = None

    @property
    def done(self) -> bool:
        """Tell whether it was said to have happened."""
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Tell whether it was said not to have happened."""
        return 400 <= self.status < 500 or self.code in REFUSALS

    @property
    def unclear(self) -> bool:
        """Tell whether nothing was said, or nothing that can be relied on."""
        return not self.done and not self.refused


@dataclass
class Seen:
    """A picture at the end, as the service shows it: ``sent`` is the number that its original bears."""

    sent: int
    status: str = "success"
    caption: str | None = None
    comments: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@dataclass
class End:
    """What is there when all is quiet: the ids in the order of a walk, pictures, logs, and what adds up."""

    walk: list[str] = field(default_factory=list)
    pictures: dict[str, Seen] = field(default_factory=dict)
    logs: dict[str, int | None] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


@dataclass
class History:
    """All deeds, the calls that were paid for, the results that were written, the blows, and the end."""

    deeds: list[Deed] = field(default_factory=list)
    payments: list[dict[str, int]] = field(default_factory=list)
    results: list[tuple[str, int]] = field(default_factory=list)  # a picture's id and the fence's number
    blows: list[dict[str, Any]] = field(default_factory=list)
    end: End = field(default_factory=End)


class Recorder:
    """Write the deeds of one client to a file of its own, each before it is done and after it."""

    def __init__(self, file: Path) -> None:
        self._handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._serial = itertools.count()

    @contextmanager
    def doing(self, **about: Any) -> Iterator[Deed]:
        """Give a deed to fill in; one that is never filled in is unclear for ever."""
        serial = next(self._serial)
        deed = Deed(**about, began=time.monotonic_ns())
        self._write(serial, what=deed.what, about=deed.about, sent=deed.sent, key=deed.key, began=deed.began)
        yield deed
        deed.ended = time.monotonic_ns()
        self._write(serial, ended=deed.ended, status=deed.status, code=deed.code, told=deed.told)

    def _write(self, serial: int, **values: Any) -> None:
        os.write(self._handle, json.dumps({"serial": serial} | values).encode() + b"\n")


def read(file: Path) -> list[Deed]:
    """List what a client did, in its order."""
    deeds: dict[int, dict[str, Any]] = {}
    for line in file.read_bytes().splitlines():
        values = json.loads(line)
        deeds.setdefault(values.pop("serial"), {}).update(values)
    return [Deed(**values) for values in deeds.values()]
