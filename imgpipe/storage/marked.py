"""Use a storage only while it carries the mark of this installation.

A volume that isn't mounted leaves an empty folder, and another volume may stand in its place: neither is a
storage that has lost its files, and nothing may be written there.
"""

import errno
import time
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, TypeVar

from imgpipe.storage.protocol import MissingObject, Storage

Found = TypeVar("Found")


class MarkedStorage:
    """Hand every call on to ``store`` while its mark is the one that ``expected`` returns.

    What is found needs no mark. Before anything is said to be missing, the mark is read; before anything is
    written, deleted or listed, at most every ``trust_s`` seconds. Without it all of these raise ``OSError``.
    """

    def __init__(self, store: Storage, expected: Callable[[], str], trust_s: float = 0) -> None:
        self.store = store
        self.readers = store.readers
        self.expected = expected
        self._trust_s = trust_s
        self._trusted_until = 0.0

    def put(self, key: str, data: bytes, *, fresh: bool = False) -> None:
        """Store the bytes. Raises: ``OSError``."""
        self._check()
        self.store.put(key, data, fresh=fresh)

    def put_all(self, files: Mapping[str, bytes]) -> None:
        """Store the bytes under their keys. Raises: ``OSError``."""
        self._check()
        self.store.put_all(files)

    def open(self, key: str) -> BinaryIO:
        """Open for reading. Raises: ``MissingObject``, ``OSError``."""
        return self._find(self.store.open, key)

    def read(self, key: str) -> bytes:
        """Return all that is under this key. Raises: ``MissingObject``, ``OSError``."""
        return self._find(self.store.read, key)

    def exists(self, key: str) -> bool:
        """Tell whether something is under this key. Raises: ``OSError``."""
        if self.store.exists(key):
            return True
        self._check_now()
        return False

    def delete(self, key: str) -> None:
        """Forget the key. Raises: ``OSError``."""
        self._check()
        self.store.delete(key)

    def url(self, key: str) -> str | None:
        """Return an address where a client can fetch the bytes itself, or None."""
        return self.store.url(key)

    def keys(self) -> Iterator[tuple[str, float]]:
        """Yield every key with its age in seconds. Raises: ``OSError``."""
        self._check()
        yield from self.store.keys()

    def ping(self) -> None:
        """Read the mark, and find out whether the storage is there. Raises: ``OSError``."""
        self._check_now()
        self.store.ping()

    def read_mark(self) -> str | None:
        """Return whose storage this is."""
        return self.store.read_mark()

    def write_mark(self, mark: str) -> None:
        """Say whose storage this is."""
        self.store.write_mark(mark)

    def _find(self, look: Callable[[str], Found], key: str) -> Found:
        try:
            return look(key)
        except MissingObject:
            self._check_now()
            raise

    def _check(self) -> None:
        if time.monotonic() >= self._trusted_until:
            self._check_now()

    def _check_now(self) -> None:
        self._trusted_until = 0
        expected = self.expected()
        if self.store.read_mark() != expected:
            raise OSError(errno.ESTALE, "the storage does not carry this installation's mark")
        self._trusted_until = time.monotonic() + self._trust_s
