"""Take depth logs in, list them, delete them; ``intervals`` reads what is in them."""

from dataclasses import dataclass
from typing import BinaryIO

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's, too
from sqlalchemy.orm import Session

from imgpipe.clock import utc_now
from imgpipe.database import paging
from imgpipe.database.engine import db, writing
from imgpipe.database.models import DepthLog, new_id
from imgpipe.database.paging import Page
from imgpipe.depthlogs import depthrows, staging
from imgpipe.depthlogs.staging import Staged
from imgpipe.errors import InvalidParameter, LogNotFound
from imgpipe.extensions import parts
from imgpipe.scanlines import resize
from imgpipe.text import clean_text

DEFAULT = "default"
NAME_LENGTH = 100


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one upload brought: ``rows`` distinct depths, ``replaced`` of them over earlier rows."""

    log: str
    rows: int
    skipped: int
    replaced: int
    depth_min: float
    depth_max: float
    depth_step: float | None
    source_width: int
    width: int = resize.WIDTH


def accept(stream: BinaryIO, name: str = DEFAULT) -> Receipt:
    """Take in a CSV, all of it or nothing; when this returns, its rows are durable.

    Raises: ``InvalidParameter`` for the name, ``InvalidCsv``.
    """
    check_name(name)
    with staging.stage(stream, parts.settings.data_dir) as staged:
        replaced = _store(name, staged)
    return Receipt(
        log=name,
        rows=staged.rows,
        skipped=staged.skipped,
        replaced=replaced,
        depth_min=staged.depth_min,
        depth_max=staged.depth_max,
        depth_step=staged.depth_step,
        source_width=staged.source_width,
    )


def check_name(name: str) -> None:
    """Let through what can be stored and stand in a path. Raises: ``InvalidParameter``."""
    fits = 1 <= len(name) <= NAME_LENGTH and name not in (".", "..") and "/" not in name
    if not fits or not name.isprintable() or name != clean_text(name).strip():
        raise InvalidParameter(
            f"log: expected 1 to {NAME_LENGTH} printable characters without / and without blanks around them",
            details={"parameter": "log"},
        )


def find(name: str, session: Session | None = None) -> DepthLog:
    """Return the log. Raises: ``LogNotFound``."""
    log = (session or db.session()).scalar(select(DepthLog).where(DepthLog.name == clean_text(name)))
    if log is None:
        raise LogNotFound
    return log


def page(limit: int, cursor: str | None = None) -> Page[DepthLog]:
    """List the logs, newest first. Raises: ``InvalidCursor``."""
    return paging.fetch(select(DepthLog), limit, cursor, DepthLog.id)


def delete(name: str) -> None:
    """Delete a log with all its rows. Raises: ``LogNotFound``."""
    with writing(durable=True) as session:
        log = session.scalar(select(DepthLog).where(DepthLog.name == clean_text(name)).with_for_update())
        if log is None:
            raise LogNotFound
        depthrows.remove(session.connection(), log.number)
        session.delete(log)


def _store(name: str, staged: Staged) -> int:
    """Write an upload in one transaction; return how many rows were there before."""
    with writing(durable=True) as session:
        log = _enter(session, name, staged)
        replaced = depthrows.put(session.connection(), log.number, staged)
        _sum_up(session, log, staged, replaced)
    return replaced


def _enter(session: Session, name: str, staged: Staged) -> DepthLog:
    """Lock the log and count the upload; a new log begins without rows."""
    begun = insert(DepthLog).values(
        id=new_id(),
        name=name,
        uploads=1,
        rows=0,
        depth_min=staged.depth_min,
        depth_max=staged.depth_max,
        source_widths=[],
        changed_at=utc_now(),
    )
    counted = begun.on_conflict_do_update(
        index_elements=[DepthLog.name],
        set_={"uploads": DepthLog.uploads + 1, "changed_at": begun.excluded.changed_at},
    )
    return session.scalars(counted.returning(DepthLog), execution_options={"populate_existing": True}).one()


def _sum_up(session: Session, log: DepthLog, staged: Staged, replaced: int) -> None:
    """Say of the whole log what is now true of it; only a real mixture of uploads has to be looked at."""
    log.rows += staged.rows - replaced
    log.depth_min = min(log.depth_min, staged.depth_min)
    log.depth_max = max(log.depth_max, staged.depth_max)
    if log.rows == staged.rows:
        log.depth_step, log.source_widths = staged.depth_step, [staged.source_width]
        return
    connection = session.connection()
    log.depth_step = depthrows.find_step(connection, log.number)
    if log.source_widths != [staged.source_width]:
        everything = depthrows.between(log.number, log.depth_min, log.depth_max)
        log.source_widths = depthrows.find_source_widths(connection, everything)
