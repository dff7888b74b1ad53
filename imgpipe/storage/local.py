"""Keep files in a directory, durably: temp file, fsync, rename, fsync of the folder."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn
from uuid import uuid4

from imgpipe.storage.protocol import KEY, MissingObject, check_key


class LocalStorage:
    """Store each key as a file of that name below ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        _make_folder(root)

    def put(self, key: str, data: bytes) -> None:
        """Write beside the target and rename over it, so that no reader and no crash sees a part."""
        target = self._path(key)
        _make_folder(target.parent)
        draft = target.with_name(f"{uuid4().hex}.part")
        try:
            _write(draft, data)
            draft.rename(target)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)

    def open(self, key: str) -> BinaryIO:
        """Open the file. Raises: ``MissingObject``."""
        try:
            return self._path(key).open("rb")
        except FileNotFoundError as error:
            raise MissingObject(key) from error

    def delete(self, key: str) -> None:
        """Unlink the file; a missing one is fine."""
        self._path(key).unlink(missing_ok=True)

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
        """Write, read and delete a small file. Raises: ``OSError``."""
        key = f"ping-{uuid4().hex}"
        self.put(key, b"ping")
        try:
            self._path(key).read_bytes()
        finally:
            self.delete(key)

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)


def _refuse(error: OSError) -> NoReturn:
    """Let no folder that can't be listed pass for an empty one."""
    raise error


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _make_folder(folder: Path) -> None:
    """Create the folder and its missing parents, each made durable in the one above it."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
