"""Ask every part that a request needs whether it is there."""

import logging
from collections.abc import Callable, Mapping

from sqlalchemy import select

from imgpipe.database.engine import db
from imgpipe.database.models import Tally
from imgpipe.extensions import parts
from imgpipe.pictures import pause

log = logging.getLogger(__name__)


def check() -> dict[str, str]:
    """Ping database, storage and jobs; return what each said, ``ok`` or ``down``."""
    pings: Mapping[str, Callable[[], object]] = {
        "database": lambda: db.session.scalars(select(Tally.shard).limit(1)).one(),
        "storage": parts.storage.ping,
        "jobs": parts.jobs.ping,
    }
    return {name: _ask(name, ping) for name, ping in pings.items()}


def captions() -> dict[str, str | None]:
    """Tell who captions, and why not at present; this never makes the service unready."""
    if parts.captioner is None:
        return {"provider": None, "model": None, "paused": None}
    present = pause.find()
    reason = f"{present.code}: {present.message}" if present else None
    return {"provider": parts.captioner.provider, "model": parts.captioner.model, "paused": reason}


def _ask(name: str, ping: Callable[[], object]) -> str:
    try:
        ping()
    except Exception as error:
        log.warning("%s is down: %s", name, type(error).__name__)
        return "down"
    return "ok"
