"""Say what a storage is: plain methods over keys, and a mark that tells whose it is."""

import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Protocol

KEY = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*")


MARK = ".imgpipe"  # no key: it begins with a dot


class MissingObject(LookupError):
    """There is nothing under this key."""


def check_key(key: str) -> str:
    """Return the key. Raises: ``ValueError`` for what could lead out of the storage."""
    if not KEY.fullmatch(key):
        raise ValueError(f"not a storage key: {key!r}")
    return key


class Storage(Protocol):
    """Keep bytes under keys such as ``originals/7f/0190….jpg``.

    Every method may raise ``OSError`` when the store is away or full. Reading ``readers`` files at a time is
    faster than one after the other: more than one hide the distance to a store that is far.
    """

    readers: int

    def put(self, key: str, data: bytes, *, fresh: bool = False) -> None:
        """Store ``data`` durably and at once: a reader sees the old bytes or the new, never a part.

        ``fresh``: nobody knows the key yet; so there is no harm if a crash leaves a part there.
        """

    def put_all(self, files: Mapping[str, bytes]) -> None:
        """Store several as ``put`` does each; where that fails, some of them may be there."""

    def open(self, key: str) -> BinaryIO:
        """Open for reading, seekable. Raises: ``MissingObject``."""

    def read(self, key: str) -> bytes:
        """Return all that is under this key. Raises: ``MissingObject``."""

    def exists(self, key: str) -> bool:
        """Tell whether something is under this key, without reading it."""

    def delete(self, key: str) -> None:
        """Forget the key; deleting twice is fine."""

    def url(self, key: str) -> str | None:
        """Return an address where a client can fetch the bytes itself, or None to have them streamed."""

    def keys(self) -> Iterator[tuple[str, float]]:
        """Yield every key with its age in seconds, in no order; leftovers of interrupted writes too."""

    def ping(self) -> None:
        """Find out, without writing, whether the storage is there. Raises: ``OSError``."""

    def read_mark(self) -> str | None:
        """Return whose storage this is, or None where nobody has said; ``keys`` passes the mark over."""

    def write_mark(self, mark: str) -> None:
        """Say durably whose storage this is, making it where it is new."""
