"""Turn uploads away while more is waiting, or less disk is left, than this installation allows.

It is asked before anything of an upload is read. Counting what waits costs as much as waits, so a count is
good for twenty times as long as it took: an idle service is exact, a loaded one spends a twentieth on it.
"""

import contextlib
import shutil
import threading
import time
from pathlib import Path

from flask import current_app
from sqlalchemy import Integer, bindparam, func, select

from imgpipe.database.engine import asking
from imgpipe.database.models import Image
from imgpipe.errors import Busy
from imgpipe.extensions import parts
from imgpipe.pictures import queue
from imgpipe.settings import Settings

BACKLOG_RETRY_S = 5
DISK_RETRY_S = 60
_TIMES = 20
# Made once: to make it takes ten times as long as to run it while little waits.
_WAITING = select(func.count()).select_from(
    select(Image.id).where(Image.stage == queue.RENDER).limit(bindparam("limit", type_=Integer)).subquery()
)


class _Count:
    """How many pictures waited when it was last looked, and how many this process let in since."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = self._since = 0
        self._good_until = 0.0

    def admit(self, limit: int) -> bool:
        """Let one more in, unless ``limit`` pictures wait already; nobody is refused on a guess."""
        with self._lock:
            guessed_full = self._waiting < limit <= self._waiting + self._since
            if guessed_full or time.monotonic() >= self._good_until:
                self._count(limit)
            if self._waiting >= limit:
                return False
            self._since += 1
            return True

    def _count(self, limit: int) -> None:
        began = time.monotonic()
        with asking() as connection:
            self._waiting = connection.scalar(_WAITING, {"limit": limit}) or 0
        self._since = 0
        self._good_until = time.monotonic() + _TIMES * (time.monotonic() - began)


def check_picture() -> None:
    """Let one more picture in. Raises: ``Busy``."""
    check_disk()
    count: _Count = current_app.extensions.setdefault("imgpipe.admission", _Count())
    if not count.admit(parts.settings.max_backlog):
        raise Busy("Too many pictures are waiting; try again shortly.", retry_after_s=BACKLOG_RETRY_S)


def check_disk() -> None:
    """Let an upload in that needs room. Raises: ``Busy``."""
    least = parts.settings.min_free_bytes
    if least and any(_free(place) < least for place in _disks(parts.settings)):
        raise Busy("The disk is nearly full.", retry_after_s=DISK_RETRY_S)


def _disks(settings: Settings) -> set[Path]:
    places = {settings.data_dir}
    return places if "://" in settings.storage else places | {Path(settings.storage)}


def _free(place: Path) -> float:
    """Return what is left where a directory is; one that is not there is for its readers to tell."""
    with contextlib.suppress(OSError):
        return shutil.disk_usage(place).free
    return float("inf")
