"""Take in whole folders of pictures, several files at a time; a second run goes on where the first ended."""

import hashlib
import os
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from flask import Flask
from sqlalchemy import select

from imgpipe.database.engine import db
from imgpipe.database.models import Image
from imgpipe.datasets.annotations import Annotations, Found, Unfit
from imgpipe.datasets.finding import Candidate
from imgpipe.errors import ImageNotFound, ImgpipeError, TooLarge
from imgpipe.extensions import parts
from imgpipe.pictures import editing, intake, queue

THREADS = 4
IN_WORK = 128  # pictures queued ahead: enough for every worker, few enough that an interrupt costs nothing
LOOK_S = 0.1
_ASKING = threading.Lock()
# Files of the same bytes take turns, so that the second finds the first; others hardly ever meet.
_TURNS = tuple(threading.Lock() for _ in range(64))


@dataclass(frozen=True, slots=True)
class Outcome:
    """Tell what became of one file: its picture, ``known`` if in before, and its ``fault`` if it has one.

    ``note``: why what the folder says of it was not taken.
    """

    path: Path
    image_id: UUID | None = None
    known: bool = False
    fault: str | None = None
    note: str | None = None


class Texts:
    """What each of the places says of its pictures."""

    def __init__(self) -> None:
        self._places: dict[Path, Annotations] = {}

    def of(self, candidate: Candidate) -> Found:
        """Return what is said of a picture. Raises: ``Unfit``."""
        return self._at(candidate.place).of(candidate.path)

    def unused(self) -> Iterator[tuple[Path, int]]:
        """Yield the lists with lines that no picture was found for, and how many."""
        for place in self._places.values():
            yield from place.unused()

    def _at(self, place: Path) -> Annotations:
        with _ASKING:
            return self._places.setdefault(place, Annotations(place))


def take_in(app: Flask, candidates: Iterable[Candidate], texts: Texts) -> Generator[Outcome, None, None]:
    """Accept files, some at a time, and tell in their order what became of each; then its work is queued.

    Raises: ``Unavailable``, and what a database or storage that is away raises; what is in is in.
    """
    waiting: deque[Future[Outcome]] = deque()
    with ThreadPoolExecutor(THREADS, "import") as pool:
        try:
            for candidate in candidates:
                waiting.append(pool.submit(_take_in, app, candidate, texts))
                if len(waiting) > 2 * THREADS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def take_in_and_process(
    app: Flask, candidates: Iterable[Candidate], texts: Texts
) -> Generator[Outcome, None, None]:
    """Accept files as ``take_in`` does, and tell of each once it has been processed, by whomever.

    A picture that was in before and failed counts as a fault each time.
    """
    pending: list[Outcome] = []
    for outcome in take_in(app, candidates, texts):
        if outcome.image_id is None:
            yield outcome
            continue
        pending.append(outcome)
        while len(pending) >= IN_WORK:
            yield from _await_some(pending)
    while pending:
        yield from _await_some(pending)


def _take_in(app: Flask, candidate: Candidate, texts: Texts) -> Outcome:
    path, note = candidate.path, None
    with app.app_context():
        try:
            data = _read(path)
            found = texts.of(candidate)
        except OSError as error:
            return Outcome(path, fault=error.strerror or type(error).__name__)
        except TooLarge as error:
            return Outcome(path, fault=error.message)
        except Unfit as error:
            found, note = Found(), str(error)
        digest = hashlib.sha256(data)
        with _TURNS[digest.digest()[0] % len(_TURNS)]:
            twin = _find_twin(digest.hexdigest())
            if twin is None:
                return replace(_accept(path, data, found), note=note)
            with suppress(ImageNotFound):  # deleted meanwhile
                editing.fill(twin, found.said)
            return Outcome(path, twin, known=True, note=note)


def _read(path: Path) -> bytes:
    """Read a file, unless it is too large. Raises: ``OSError``, ``TooLarge``."""
    if path.is_dir():
        os.listdir(path)  # raises what kept us out of it
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > parts.settings.max_upload_bytes:
            raise TooLarge(parts.settings.max_upload_bytes, "IMGPIPE_MAX_UPLOAD_BYTES")
        return file.read()


def _find_twin(sha256: str) -> UUID | None:
    """Return the picture of the same bytes; of several, one that succeeded: the last in the alphabet."""
    twins = select(Image.id).where(Image.sha256 == sha256).order_by(Image.status.desc()).limit(1)
    twin = db.session.scalars(twins).one_or_none()
    db.session.rollback()
    return twin


def _accept(path: Path, data: bytes, found: Found) -> Outcome:
    try:
        taken = intake.take(data, found.original_name or path.name, found.said, once=True)
        parts.jobs.wake(queue.RENDER)
        return Outcome(path, taken.image.id, known=taken.duplicate)
    except ImgpipeError as error:
        if error.status >= 500:
            raise
        return Outcome(path, fault=error.message)


def _await_some(pending: list[Outcome]) -> Iterator[Outcome]:
    """Take those out of ``pending`` that have been processed; waits a moment when there are none."""
    ids = {outcome.image_id for outcome in pending}
    rows = db.session.execute(select(Image.id, Image.status, Image.error).where(Image.id.in_(ids))).all()
    db.session.rollback()
    faults = {row.id: row.error for row in rows}
    running = {row.id for row in rows if row.status == "processing"}
    ended = [outcome for outcome in pending if outcome.image_id not in running]
    pending[:] = [outcome for outcome in pending if outcome.image_id in running]
    for outcome in ended:
        yield replace(outcome, fault=faults.get(outcome.image_id, "deleted meanwhile"))
    if not ended:
        for lane in queue.LANES:  # what was put off is taken up by whoever is there, be it this very thread
            parts.jobs.wake(lane)
        time.sleep(LOOK_S)
