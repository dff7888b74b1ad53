"""Read a stored upload, byte for byte, also out of the zip that it may have been moved into."""

import io
import zipfile
from typing import BinaryIO

from imgpipe.storage.protocol import MissingObject, Storage


def open_original(storage: Storage, key: str | None) -> BinaryIO:
    """Open what lies under ``key``. Raises: ``MissingObject``."""
    if key is None or key.endswith(".zip"):
        return io.BytesIO(read_original(storage, key))
    return storage.open(key)


def read_original(storage: Storage, key: str | None) -> bytes:
    """Return what lies under ``key``; any other file of a picture too. Raises: ``MissingObject``."""
    if key is None:
        raise MissingObject("discarded")
    if not key.endswith(".zip"):
        return storage.read(key)
    with storage.open(key) as stream, zipfile.ZipFile(stream) as archive:
        return archive.read(archive.infolist()[0])
