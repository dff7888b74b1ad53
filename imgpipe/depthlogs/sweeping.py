"""Delete the blocks of versions whose readers are sure to be gone, and what writers that died left behind."""

import logging
import time
from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import delete, select

from imgpipe.clock import utc_now
from imgpipe.database.depthmodels import DepthBlock, DepthVersion
from imgpipe.database.engine import lock_name, reading, writing
from imgpipe.depthlogs import drafts

# How long an answer may take that began just before its version was replaced.
GRACE_S = 900
# What a request that has nothing to do with it may spend on it; doctor takes its time.
SPARE_S = 0.5
log = logging.getLogger(__name__)


def sweep(spare_s: float = SPARE_S) -> bool:
    """Delete as much as can be done in a while, in short transactions; nothing is lost by an interruption.

    Returns whether time ran out before all was done.
    """
    deadline = time.monotonic() + spare_s
    for _ in drafts.free_abandoned(drafts.find_abandoned()):
        if time.monotonic() > deadline:
            return True
    for number, version in find_replaced():
        while delete_some(number, version):
            if time.monotonic() > deadline:
                return True
    return False


def find_replaced(grace_s: float = GRACE_S) -> Iterator[tuple[int, int]]:
    """Yield (log, version) of the versions that put blocks to death long enough ago, oldest first."""
    before = utc_now() - timedelta(seconds=grace_s)
    due = select(DepthVersion.log, DepthVersion.version).where(DepthVersion.began_at < before)
    with reading() as session:
        found = session.execute(due.order_by(DepthVersion.began_at)).all()
    yield from ((row.log, row.version) for row in found)


def delete_some(number: int, version: int) -> bool:
    """Delete some blocks that a version has put to death; False when none of them is left."""
    dead = select(DepthBlock.id).where(DepthBlock.log == number, DepthBlock.died <= version)
    own = (DepthVersion.log == number) & (DepthVersion.version == version)
    with writing(durable=False) as session:
        lock_name(session, "sweep")  # several processes sweep, and none is to wait crosswise for another
        ids = session.scalars(dead.limit(drafts.SWEPT_AT_ONCE)).all()
        session.execute(delete(DepthBlock).where(DepthBlock.id.in_(ids)))
        if not ids:
            session.execute(delete(DepthVersion).where(own))
    return bool(ids)
