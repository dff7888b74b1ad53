"""Ask every part that a request needs whether it is there."""

import logging
import threading
import time
from collections.abc import Callable

from flask import Flask, current_app
from sqlalchemy import select

from imgpipe.database.engine import db
from imgpipe.database.models import Tally
from imgpipe.extensions import parts
from imgpipe.pictures import backfill, pause, stats

FRESH_S = 2.0  # within which a storage or a broker is not asked again, however many ask us
log = logging.getLogger(__name__)


class Answers:
    """Remember for a moment what the costly parts said: pinging a storage writes and waits for the disk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: dict[str, tuple[float, str]] = {}

    def ask(self, name: str, ping: Callable[[], object]) -> str:
        """Return what a part said lately, or ask it; of many who ask at once, one goes."""
        with self._lock:
            asked_at, said = self._said.get(name, (-FRESH_S, ""))
            if time.monotonic() - asked_at >= FRESH_S:
                said = _ask(name, ping)
                self._said[name] = time.monotonic(), said
            return said


def init_app(app: Flask) -> None:
    """Give an app a memory of its own."""
    app.extensions["imgpipe.health"] = Answers()


def check() -> dict[str, str]:
    """Ping database, storage and jobs; return what each said, ``ok`` or ``down``.

    Storage and jobs are asked every two seconds at most.
    """
    answers: Answers = current_app.extensions["imgpipe.health"]
    return {
        "database": _ask("database", lambda: db.session.scalars(select(Tally.shard).limit(1)).one()),
        "storage": answers.ask("storage", parts.storage.ping),
        "jobs": answers.ask("jobs", parts.jobs.ping),
    }


def captions() -> dict[str, str | None]:
    """Tell who captions, and why not at present; this never makes the service unready."""
    if parts.captioner is None:
        return {"provider": None, "model": None, "paused": None}
    present = pause.find()
    reason = f"{present.code}: {present.message}" if present else None
    return {"provider": parts.captioner.provider, "model": parts.captioner.model, "paused": reason}


def thumbnails() -> dict[str, int] | None:
    """Tell how many pictures were seen to by the backfill of added sizes; None while none is under way."""
    seen = backfill.seen()
    return None if seen is None else {"seen": seen, "of": stats.totals().total}


def _ask(name: str, ping: Callable[[], object]) -> str:
    try:
        ping()
    except Exception as error:
        log.warning("%s is down: %s", name, type(error).__name__)
        return "down"
    return "ok"
