"""Take depth logs in, list them, delete them; ``ranges`` reads what is in them."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import numpy as np
from sqlalchemy import Select, bindparam, select, update
from sqlalchemy.orm import Session

from imgpipe.clock import utc_now
from imgpipe.database import paging
from imgpipe.database.depthmodels import DepthBlock, DepthLog, DepthVersion
from imgpipe.database.engine import reading, shorten_journal, writing
from imgpipe.database.lookup import Lookup
from imgpipe.database.paging import Page
from imgpipe.database.replays import Seal
from imgpipe.depthlogs import blocks, drafts, events, staging, sweeping
from imgpipe.depthlogs.blocks import Found
from imgpipe.depthlogs.drafts import Draft
from imgpipe.depthlogs.lines import Lines
from imgpipe.depthlogs.merging import merge
from imgpipe.depthlogs.spacing import median_step
from imgpipe.depthlogs.staging import Source, Staged
from imgpipe.depthlogs.terms import Terms, agreed
from imgpipe.errors import Busy, ImgpipeError, InvalidParameter, LogNotFound
from imgpipe.extensions import parts
from imgpipe.scanlines import resize
from imgpipe.scanlines.cells import Block
from imgpipe.scanlines.csvfile import Reader, read, read_values
from imgpipe.scanlines.realcells import Values
from imgpipe.scanlines.rows import Depths
from imgpipe.text import clean_text

DEFAULT = "default"
NAME_LENGTH = 100
log = logging.getLogger(__name__)
LARGE_BYTES = 64 << 20
PLAIN = Terms()
DEPTHS_READ = 64  # blocks


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one upload brought: ``rows`` distinct depths, ``replaced`` of them over earlier rows.

    ``duplicates`` lines were no rows, as their depth came again later in the file. ``clipped`` values were
    outside of the scale, from ``value_min`` to ``value_max``, where there is one.
    """

    log: str
    rows: int
    skipped: int
    duplicates: int
    replaced: int
    depth_min: float
    depth_max: float
    depth_step: float | None
    source_width: int
    width: int = resize.WIDTH
    clipped: int | None = None
    value_min: float | None = None
    value_max: float | None = None
    value_unit: str | None = None
    depth_unit: str | None = None


def accept(stream: BinaryIO, name: str = DEFAULT, terms: Terms = PLAIN, seal: Seal | None = None) -> Receipt:
    """Take in a CSV, all of it or nothing; when this returns, its rows are durable.

    ``seal`` is called with the receipt inside the transaction that makes them visible.
    Raises: ``InvalidParameter``, ``InvalidCsv``, ``Conflict`` where the log has other terms, ``Busy``.
    """
    check_name(name)
    with logged(name):
        rules = terms_of(name, terms).rules
        reader: Reader[Block] | Reader[Values] = read(stream) if rules.plain else read_values(stream, rules)
        return store(reader, name, terms_of(name, with_unit(terms, reader.depth_unit)), seal)


@contextmanager
def logged(name: str) -> Iterator[None]:
    """Log how an upload into a log, the block, ended: stored, or refused with its code."""
    began, outcome = time.perf_counter(), "stored"
    try:
        yield
    except ImgpipeError as error:
        outcome = f"refused, {error.code}"
        raise
    except Exception:
        outcome = "failed"
        raise
    finally:
        log.info("depth log %s: %s, %.0f ms", name, outcome, (time.perf_counter() - began) * 1000)


def terms_of(name: str, terms: Terms) -> Terms:
    """Complete the terms of an upload by those of its log. Raises: ``Conflict``."""
    with reading() as session:
        return agreed(terms, session.scalar(_named(name)))


def store(source: Source, name: str, terms: Terms, seal: Seal | None = None) -> Receipt:
    """Take in rows that are read by ``terms`` which ``terms_of`` gave, all of them or nothing.

    Raises: as ``accept`` does.
    """
    check_name(name)
    with staging.stage(source, terms, parts.settings.data_dir) as staged, drafts.drafting(name) as draft:
        settled = agreed(staged.terms, draft.before)
        if settled != staged.terms:  # the log came into being meanwhile, or its terms changed
            raise Busy("The log was made anew meanwhile.", retry_after_s=1)
        receipt = _store(draft, staged, name, seal)
    sweeping.sweep()
    if staged.rows * (resize.WIDTH + staged.source_width) > LARGE_BYTES:
        shorten_journal()
    return receipt


def with_unit(terms: Terms, found: str | None) -> Terms:
    """Take the unit of depths from the file unless it is said. Raises: ``InvalidParameter``."""
    if found is not None and terms.depth_unit not in (None, found):
        raise InvalidParameter(
            f"depth_unit: the file says {found}, not {terms.depth_unit}",
            details={"parameter": "depth_unit"},
        )
    return replace(terms, depth_unit=terms.depth_unit or found)


def _of_terms(terms: Terms) -> dict[str, Any]:
    return {name: value for name, value in terms.columns().items() if name != "nulls"}


def check_name(name: str) -> None:
    """Let through what can be stored and stand in a path. Raises: ``InvalidParameter``."""
    fits = 1 <= len(name) <= NAME_LENGTH and name not in (".", "..") and "/" not in name
    if not fits or not name.isprintable() or name != clean_text(name).strip():
        raise InvalidParameter(
            f"log: expected 1 to {NAME_LENGTH} printable characters without / and without blanks around them",
            details={"parameter": "log"},
        )


def find(name: str) -> DepthLog:
    """Return the log as it is now, apart from any session. Raises: ``LogNotFound``."""
    row = _FOUND.find(name=clean_text(name))
    if row is None:
        raise LogNotFound
    found = DepthLog()
    # As a query fills it: attributes that are set one by one are each noted as a change.
    vars(found).update(zip(_COLUMNS.keys(), row, strict=True))
    return found


def page(limit: int, cursor: str | None = None) -> Page[DepthLog]:
    """List the logs, newest first. Raises: ``InvalidCursor``."""
    return paging.fetch(_STORED, {}, limit, cursor, DepthLog.id)


def delete(name: str) -> None:
    """Delete a log with all its rows, also while it is written to. Raises: ``LogNotFound``."""
    with writing(durable=True) as session:
        log = session.scalar(_named(name).with_for_update())
        if log is None:
            raise LogNotFound
        living = (DepthBlock.log == log.number) & DepthBlock.died.is_(None)
        session.execute(update(DepthBlock).where(living).values(died=log.uploads + 1))
        session.add(DepthVersion(log=log.number, version=log.uploads + 1, began_at=utc_now()))
        session.delete(log)
    sweeping.sweep()


_COLUMNS = DepthLog.__table__.columns
_FOUND = Lookup(select(*_COLUMNS).where(DepthLog.name == bindparam("name"), DepthLog.uploads > 0))
_STORED: Select[DepthLog] = select(DepthLog).where(DepthLog.uploads > 0)


def _named(name: str) -> Select[DepthLog]:
    return select(DepthLog).where(DepthLog.name == clean_text(name), DepthLog.uploads > 0)


def _receipt(name: str, staged: Staged, replaced: int) -> Receipt:
    return Receipt(
        log=name,
        rows=staged.rows,
        skipped=staged.skipped,
        duplicates=staged.duplicates,
        replaced=replaced,
        depth_min=staged.depth_min,
        depth_max=staged.depth_max,
        depth_step=staged.depth_step,
        source_width=staged.source_width,
        clipped=None if staged.terms.scale is None else staged.clipped,
        **_of_terms(staged.terms),
    )


def _store(draft: Draft, staged: Staged, name: str, seal: Seal | None) -> Receipt:
    """Write an upload as the next version."""
    before, taken, written, holes = draft.before, 0, 0, 0

    def take(found: Found) -> Lines:
        nonlocal taken
        taken += found.rows
        draft.bury(found.id)
        with reading() as session:
            return blocks.load_whole(session.connection(), found.id)

    with reading() as session:
        bounds = staged.depth_min, staged.depth_max
        near = blocks.beside(session.connection(), draft.number, before.uploads, *bounds)
    for block in merge(staged, near, take):
        written, holes = written + len(block), holes + block.hole_count()
        draft.add(block)
    replaced = staged.rows + taken - written
    rows = before.rows + staged.rows - replaced
    told = _of_upload(staged, holes) if rows == staged.rows else _of_all(draft, staged, rows)
    receipt = _receipt(name, staged, replaced)

    def along(session: Session) -> None:
        events.record(session, draft.number)
        if seal:
            seal(session, receipt)

    draft.announce(along, rows=rows, **told, **staged.terms.columns())
    return receipt


def _of_upload(staged: Staged, holes: int) -> dict[str, Any]:
    """Say what is true of a log that is nothing but this upload."""
    return {
        "depth_min": staged.depth_min,
        "depth_max": staged.depth_max,
        "depth_step": staged.depth_step,
        "source_widths": [staged.source_width],
        "holes": holes,
    }


def _of_all(draft: Draft, staged: Staged, rows: int) -> dict[str, Any]:
    """Say what is true of a log of several uploads, for which all its depths are looked at."""
    draft.flush()
    with reading() as session:
        found = blocks.find(session.connection(), draft.number, draft.version)
        mixed = [block.id for block in found if block.mixed]
        widths = {block.width for block in found} | blocks.read_widths(session.connection(), mixed)

    def read_depths() -> Iterator[Depths]:
        draft.hold()
        for start in range(0, len(found), DEPTHS_READ):
            ids = [block.id for block in found[start : start + DEPTHS_READ]]
            with reading() as session:
                depths = blocks.read_depths(session.connection(), ids)
            yield np.concatenate(depths)

    return {
        "depth_min": min(draft.before.depth_min, staged.depth_min),
        "depth_max": max(draft.before.depth_max, staged.depth_max),
        "depth_step": median_step(rows, read_depths),
        "source_widths": sorted(widths),
        "holes": sum(block.holes for block in found),
    }
