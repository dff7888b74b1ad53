"""Make the next version of a log: one writer at a time, in short transactions, visible by one small commit.

A writer's blocks are born with a version that no reader asks for yet. Until that is announced, everything it
does can be undone, and is: by the writer, or by the next one where it died.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Insert, delete, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from imgpipe.clock import utc_now
from imgpipe.database.depthmodels import DepthBlock, DepthLog, DepthVersion
from imgpipe.database.engine import insert_if_new, reading, writing
from imgpipe.database.models import new_id
from imgpipe.depthlogs import blocks
from imgpipe.depthlogs.lines import Lines
from imgpipe.errors import Busy

LEASE_S = 20  # a slice takes a fraction of a second
WAIT_S = 30
LOOK_S = 0.05
RETRY_AFTER_S = 5
# What one transaction writes: other writers wait so long.
SLICE_BYTES = 4 << 20
SWEPT_AT_ONCE = 32


@dataclass(slots=True)
class Draft:
    """A version of a log that is being written; ``before`` is the log as readers see it."""

    before: DepthLog
    writer: UUID
    _blocks: list[Lines] = field(default_factory=list)
    _buried: list[int] = field(default_factory=list)
    _bytes: int = 0
    _replaces: bool = False
    announced: bool = False

    @property
    def number(self) -> int:
        """Return the log's number."""
        return self.before.number

    @property
    def version(self) -> int:
        """Return the version that is being written."""
        return self.before.uploads + 1

    def add(self, block: Lines) -> None:
        """Write a block, together with its neighbours."""
        self._blocks.append(block)
        self._bytes += block.pixels.nbytes + block.source.nbytes + block.depths.nbytes
        if self._bytes >= SLICE_BYTES:
            self.flush()

    def bury(self, id: int) -> None:
        """Let a block end with the version before."""
        self._buried.append(id)
        self._replaces = True

    def hold(self) -> None:
        """Stay the writer while nothing is written. Raises: ``Busy`` as ``flush`` does."""
        with writing(durable=False) as session:
            self._hold(session.connection())

    def flush(self) -> None:
        """Write what has gathered. Raises: ``Busy`` when the log was deleted or went to another writer."""
        with writing(durable=False) as session:
            self._hold(session.connection())
            self._write(session.connection())

    def announce(self, along: Callable[[Session], None], **told: Any) -> None:
        """Write what has gathered and let readers see this version; ``told`` is what is now true of the log.

        ``along`` is done in the same transaction.

        Raises: ``Busy`` as ``flush`` does.
        """
        now = utc_now()
        with writing(durable=True) as session:
            self._hold(session.connection())
            self._write(session.connection())
            values = told | {
                "uploads": self.version,
                "changed_at": now,
                "writer": None,
                "writer_due_at": None,
            }
            session.execute(update(DepthLog).where(DepthLog.number == self.number).values(values))
            if self._replaces:
                session.add(DepthVersion(log=self.number, version=self.version, began_at=now))
            along(session)
        self.announced = True

    def undo(self) -> None:
        """Take back what this version has become so far, or was left by a writer that died at it.

        Raises: ``Busy`` as ``flush`` does.
        """
        self._forget()
        seen = self.before.uploads
        own = (DepthBlock.log == self.number) & (DepthBlock.born > seen)
        buried = (DepthBlock.log == self.number) & (DepthBlock.died > seen)
        some = delete(DepthBlock).where(
            DepthBlock.id.in_(select(DepthBlock.id).where(own).limit(SWEPT_AT_ONCE))
        )
        while self._exists(own | buried):
            with writing(durable=False) as session:
                self._hold(session.connection())
                session.execute(some)
                session.execute(update(DepthBlock).where(buried).values(died=None))

    @staticmethod
    def _exists(condition: ColumnElement[bool]) -> bool:
        with reading() as session:
            return session.scalar(select(DepthBlock.id).where(condition).limit(1)) is not None

    def give_up(self) -> None:
        """Undo, and let others write; a log that was to be new is gone."""
        self.undo()
        own = (DepthLog.number == self.number) & (DepthLog.writer == self.writer)
        with writing(durable=False) as session:
            if self.before.uploads:
                session.execute(update(DepthLog).where(own).values(writer=None, writer_due_at=None))
            else:
                session.execute(delete(DepthLog).where(own))

    def _hold(self, connection: Connection) -> None:
        own = (DepthLog.number == self.number) & (DepthLog.writer == self.writer)
        held = update(DepthLog).where(own).values(writer_due_at=utc_now() + timedelta(seconds=LEASE_S))
        if not connection.execute(held.returning(DepthLog.number)).all():
            raise Busy("The log was deleted or taken over meanwhile.", retry_after_s=RETRY_AFTER_S)

    def _write(self, connection: Connection) -> None:
        if self._blocks:
            blocks.add(connection, self.number, self.version, self._blocks)
        blocks.bury(connection, self._buried, self.version)
        self._forget()

    def _forget(self) -> None:
        self._blocks, self._buried, self._bytes = [], [], 0


@contextmanager
def drafting(name: str, wait_s: float = WAIT_S) -> Iterator[Draft]:
    """Write the next version of a log, which may be new; undone unless it is announced in the block.

    Raises: ``Busy`` when another writer is at it for longer than ``wait_s``.
    """
    draft = _begin(name, wait_s)
    try:
        draft.undo()
        yield draft
    finally:
        if not draft.announced:
            with suppress(Busy, SQLAlchemyError):  # the next writer, or a sweep, finds what is left
                draft.give_up()


def free_abandoned(names: Iterable[str]) -> Iterator[str]:
    """Undo what writers have left behind that died; yield the names of their logs."""
    for name in names:
        if (draft := _claim(name)) is not None:
            draft.give_up()
            yield name


def find_abandoned() -> Sequence[str]:
    """Name the logs whose writer died before its version could be seen."""
    with reading() as session:
        return session.scalars(select(DepthLog.name).where(DepthLog.writer_due_at < utc_now())).all()


def _begin(name: str, wait_s: float) -> Draft:
    deadline = time.monotonic() + wait_s
    while (draft := _claim(name)) is None:
        if time.monotonic() > deadline:
            raise Busy("Another upload into this log is being stored.", retry_after_s=RETRY_AFTER_S)
        time.sleep(LOOK_S)
    return draft


def _claim(name: str) -> Draft | None:
    """Become the writer of a log, which is made if there is none; None while another one is."""
    writer, lease = new_id(), timedelta(seconds=LEASE_S)
    with writing(durable=False) as session:
        now = utc_now()
        # One that is due long after a lease was made before the clock was set back.
        free = or_(DepthLog.writer.is_(None), ~DepthLog.writer_due_at.between(now, now + 2 * lease))
        claim = update(DepthLog).where(DepthLog.name == name, free)
        if session.scalar(select(DepthLog.id).where(DepthLog.name == name)) is None:
            session.execute(_new(name))
        claimed = claim.values(writer=writer, writer_due_at=now + lease).returning(DepthLog)
        before = session.scalars(claimed, execution_options={"populate_existing": True}).one_or_none()
        if before is None:
            return None
        session.expunge(before)
    return Draft(before, writer)


def _new(name: str) -> Insert:
    """Make a log that no reader sees yet, unless another one has made it."""
    nothing = {"uploads": 0, "rows": 0, "depth_min": 0.0, "depth_max": 0.0, "source_widths": [], "holes": 0}
    return insert_if_new(DepthLog, id=new_id(), name=name, changed_at=utc_now(), **nothing)
