"""Keep files in a directory, durably: temp file, fsync, rename, fsync of the folder.

What is to be synced is synced at once, by threads: a file system writes its journal once for all of them, and
one after the other would wait for it as often as there are files.
"""

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from operator import call
from pathlib import Path
from typing import BinaryIO, NoReturn
from uuid import uuid4

from imgpipe.storage.protocol import KEY, MARK, MissingObject, check_key

LEAST_ROOM_BYTES = 64 * 1024  # with less not even a thumbnail is kept
AT_ONCE = 8  # syncs that wait for the disk beside each other


class LocalStorage:
    """Store each key as a file of that name below ``root``, which only ``write_mark`` makes."""

    readers = 1

    def __init__(self, root: Path) -> None:
        self.root = root
        self._durable: set[str] = set()

    def put(self, key: str, data: bytes, *, fresh: bool = False) -> None:
        """Write beside the target and rename over it, so that no reader and no crash sees a part.

        Of what is ``fresh`` a crash may leave one: its bytes and its name are synced at the same time.
        Raises: ``OSError``, also where the folder itself is gone.
        """
        self._write({self._path(key): data}, fresh)

    def put_all(self, files: Mapping[str, bytes]) -> None:
        """Write each as ``put`` does, and sync the folder of several once, behind the last of them."""
        self._write({self._path(key): data for key, data in files.items()}, fresh=False)

    def open(self, key: str) -> BinaryIO:
        """Open the file. Raises: ``MissingObject``."""
        try:
            return open(self._path(key), "rb")
        except FileNotFoundError as error:
            raise MissingObject(key) from error

    def read(self, key: str) -> bytes:
        """Read the file. Raises: ``MissingObject``."""
        try:
            handle = os.open(self._path(key), os.O_RDONLY)
        except FileNotFoundError as error:
            raise MissingObject(key) from error
        try:
            return os.read(handle, os.fstat(handle).st_size)  # whole: none has 2 GiB
        finally:
            os.close(handle)

    def exists(self, key: str) -> bool:
        """Look for the file."""
        return Path(self._path(key)).is_file()

    def delete(self, key: str) -> None:
        """Unlink the file; a missing one is fine."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(key))

    def url(self, key: str) -> str | None:
        """Return None: local files are streamed."""
        return None

    def keys(self) -> Iterator[tuple[str, float]]:
        """Yield every file by its key, with the time since it was written, s. Raises: ``OSError``."""
        for folder, _, names in os.walk(self.root, onerror=_refuse):
            for path in (Path(folder, name) for name in names):
                key = path.relative_to(self.root).as_posix()
                with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                    if KEY.fullmatch(key):
                        yield key, time.time() - path.stat().st_mtime

    def ping(self) -> None:
        """Look whether the folder can be written to and has room at all. Raises: ``OSError``."""
        if not self.root.is_dir() or not os.access(self.root, os.R_OK | os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, "the storage's folder is missing, or can't be written")
        room = os.statvfs(self.root)
        if room.f_bavail * room.f_frsize < LEAST_ROOM_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def read_mark(self) -> str | None:
        """Read the file that tells whose storage this is."""
        try:
            return (self.root / MARK).read_bytes()[:100].decode("ascii", "replace").strip()
        except FileNotFoundError:
            return None

    def write_mark(self, mark: str) -> None:
        """Write the file that tells whose storage this is, in a folder that is made if need be."""
        _make_root(self.root)
        self._write({f"{self.root}/{MARK}": f"{mark}\n".encode()}, fresh=False)

    def _path(self, key: str) -> str:
        """Return where a key's file is, without a Path, whose making costs more than most calls on it."""
        return f"{self.root}/{check_key(key)}"

    def _write(self, targets: Mapping[str, bytes], fresh: bool) -> None:
        """Write files, by their paths. Raises: ``OSError``."""
        folders = dict.fromkeys(map(os.path.dirname, targets))
        try:
            for folder in folders:
                self._make_folder(folder)
            with ExitStack() as stack:
                drafts = [stack.enter_context(_draft(target, data)) for target, data in targets.items()]
                syncs = [partial(os.fsync, draft.fileno()) for draft in drafts]
                if not fresh:
                    _sync(syncs)
                    syncs.clear()
                for target, draft in zip(targets, drafts, strict=True):
                    os.rename(draft.name, target)
                _sync(syncs + [partial(_sync_folder, folder) for folder in folders])
        except FileNotFoundError as error:
            self._durable.clear()
            raise OSError(errno.ESTALE, "the storage's folder is gone") from error

    def _make_folder(self, folder: str) -> None:
        """Create a folder below the root, durable before anything is in it.

        Who finds it there can't know whether its maker has come to sync the one above: each process does
        so itself, once.
        """
        if folder in self._durable or folder == str(self.root):
            return
        above = os.path.dirname(folder)
        self._make_folder(above)
        Path(folder).mkdir(exist_ok=True)
        _sync_folder(above)
        self._durable.add(folder)


def _refuse(error: OSError) -> NoReturn:
    """Let no folder that can't be listed pass for an empty one."""
    raise error


@contextmanager
def _draft(target: str, data: bytes) -> Iterator[BinaryIO]:
    """Write a file beside the target, for the length of a block that renames it; if none does, it goes."""
    path = f"{os.path.dirname(target)}/{uuid4().hex}.part"
    try:
        with open(path, "xb") as file:
            file.write(data)
            file.flush()
            yield file
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        raise


def _make_root(folder: Path) -> None:
    """Create the folder and its missing parents, each made durable in the one above it."""
    if folder.is_dir():
        return
    _make_root(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(str(folder.parent))


def _sync(syncs: Sequence[Callable[[], None]]) -> None:
    """Sync several at once. Raises: ``OSError`` of any."""
    if len(syncs) > 1:
        with contextlib.suppress(RuntimeError):  # there are no more threads: the interpreter ends
            list(_threads(os.getpid()).map(call, syncs))
            return
    for sync in syncs:
        sync()


@cache
def _threads(_process: int) -> ThreadPoolExecutor:
    """Return those of this very process; those of one that it was forked from did not come along."""
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sync")


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
