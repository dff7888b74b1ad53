"""Count what happens, for Prometheus: right over several processes, restarts and kills.

Each process counts in files of its own, mapped into memory, under the number of a free slot; whoever is
scraped adds all of them up. A slot is taken over by the next process together with what it has counted, so
that the sums never fall, and the files are never more than the processes that ran at one time.
"""

import fcntl
import logging
import os
import threading
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

log = logging.getLogger(__name__)
FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # by this name the library looks for its files
MAX_SLOTS = 10_000
FILE_BYTES = 1 << 20  # some thousands of counts; the library doubles a file that is full
_FAST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SLOW = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

REQUESTS = Counter(
    "imgpipe_http_requests", "Requests that were answered.", ("method", "route", "status"), registry=None
)
REQUEST_SECONDS = Histogram(
    "imgpipe_http_request_seconds",
    "Time until an answer began, s.",
    ("method", "route"),
    registry=None,
    buckets=_FAST,
)
STAGE_SECONDS = Histogram(
    "imgpipe_stage_seconds",
    "Time worked on one stage of a picture, s.",
    ("stage",),
    registry=None,
    buckets=_SLOW,
)
PICTURES = Counter("imgpipe_pictures", "Pictures that ended.", ("outcome",), registry=None)
FAILURES = Counter("imgpipe_failures", "Pictures that failed, by the reason.", ("code",), registry=None)
CAPTION_CALLS = Counter(
    "imgpipe_caption_calls",
    "Calls to the captioner, by how they ended.",
    ("provider", "outcome"),
    registry=None,
)


class _Slot:
    """The number under which this very process counts; a fork takes one of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._pid = 0
        self._held = -1
        self._number = -1

    def number(self) -> int:
        """Return the number, having taken the lowest free one at the first call after a fork."""
        if self._pid != os.getpid():
            with self._lock:
                if self._pid != os.getpid():
                    self._number, self._held = self._take()
                    self._pid = os.getpid()
        return self._number

    def _take(self) -> tuple[int, int]:
        self._folder.mkdir(parents=True, exist_ok=True)
        for number in range(MAX_SLOTS):
            held = os.open(self._folder / f"{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(held)
                continue
            try:
                for kind in ("counter", "histogram"):
                    _reserve(self._folder / f"{kind}_{number}.db")
            except OSError:
                os.close(held)
                raise
            return number, held
        raise OSError(f"no free slot in {self._folder}")


_slots: list[_Slot] = []  # one at most


def _reserve(file: Path) -> None:
    """Take the room of a file of counts on the disk at once.

    It is mapped into memory: on a disk that is full later, a count in a hole of it would kill the process.
    Raises: ``OSError`` when there is no room.
    """
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.posix_fallocate(handle, 0, FILE_BYTES)
    finally:
        os.close(handle)


def set_up(folder: Path) -> None:
    """Count in ``folder`` from here on, or where the environment says; a process's first call decides."""
    if _slots:
        return
    slot = _Slot(Path(os.environ.setdefault(FOLDER, str(folder))))
    try:
        slot.number()
    except OSError as error:  # a full disk is no reason not to serve: this process counts for itself
        log.warning("what happens is not counted for others: %s", error.strerror)
        values.ValueClass = values.MutexValue  # where the environment says, the library has begun by itself
        return
    _slots.append(slot)
    values.ValueClass = values.MultiProcessValue(slot.number)  # type: ignore[no-untyped-call]


def render(*more: Collector) -> bytes:
    """Return all counts of all processes, and what ``more`` collect, in Prometheus' text format."""
    registry = CollectorRegistry()
    if values.ValueClass is not values.MutexValue:
        MultiProcessCollector(registry, os.environ[FOLDER])  # type: ignore[no-untyped-call]
    for collector in more:
        registry.register(collector)
    return generate_latest(registry)
