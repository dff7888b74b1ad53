"""Open a stored upload, byte for byte, also out of the zip that it may have been moved into."""

import io
import zipfile
from typing import BinaryIO

from imgpipe.storage.protocol import MissingObject, Storage


def open_original(storage: Storage, key: str | None) -> BinaryIO:
    """Open what lies under ``key``; any other file of a picture too. Raises: ``MissingObject``."""
    if key is None:
        raise MissingObject("discarded")
    stream = storage.open(key)
    if not key.endswith(".zip"):
        return stream
    with stream, zipfile.ZipFile(stream) as archive:
        return io.BytesIO(archive.read(archive.infolist()[0]))
