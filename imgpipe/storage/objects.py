"""Keep files in an S3-compatible object store, one object a key.

Endpoint and keys come from the usual ``AWS_*`` variables. obstore is the client: a store's put is atomic, its
calls leave the interpreter lock alone, and one compiled package without dependencies does it all.
"""

import errno
import io
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import BinaryIO
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from imgpipe.storage.protocol import KEY, MARK, MissingObject, check_key

TIMEOUT_S = 5  # one request; larger files travel in parts, a request each
RETRY_S = 3  # no further try begins after this, so that no call takes longer than both together
PART_BYTES = 8 * 2**20
URL_S = 300
TRUST_S = 5  # between two looks at the mark, each a request
_MIME = {"jpg": "image/jpeg", "zip": "application/zip"}  # all else is a picture that its ending names
log = logging.getLogger(__name__)


class ObjectStorage:
    """Store each key as an object below the prefix of ``s3://bucket/prefix``.

    With ``signed``, ``url`` gives addresses that are good for ``URL_S`` seconds. A process that has used a
    storage must not fork and use it on: the client's threads do not come along.
    """

    readers = 4

    def __init__(self, address: str, signed: bool = False) -> None:
        parts = urlsplit(address)
        self._signed = signed
        self._store = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            config={"disable_bulk_delete": True},  # not every compatible store knows it
            client_options={
                "timeout": timedelta(seconds=TIMEOUT_S),
                "connect_timeout": timedelta(seconds=2),
                "allow_http": True,
            },
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=RETRY_S)},
        )

    def put(self, key: str, data: bytes, *, fresh: bool = False) -> None:
        """Store the object; a reader sees it whole or not at all, ``fresh`` or not."""
        suffix = key.rpartition(".")[2]
        mime = _MIME.get(suffix, f"image/{suffix}")
        with _as_os_error():
            obstore.put(
                self._store, check_key(key), data, attributes={"Content-Type": mime}, chunk_size=PART_BYTES
            )

    def put_all(self, files: Mapping[str, bytes]) -> None:
        """Store the objects, one after the other."""
        for key, data in files.items():
            self.put(key, data)

    def open(self, key: str) -> BinaryIO:
        """Fetch the whole object, so that a store that goes away midway costs an error and no torn answer.

        Raises: ``MissingObject``.
        """
        return io.BytesIO(self.read(key))

    def read(self, key: str) -> bytes:
        """Fetch the whole object. Raises: ``MissingObject``."""
        with _as_os_error():
            try:
                return bytes(obstore.get(self._store, check_key(key)).bytes())
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                raise MissingObject(key) from error

    def exists(self, key: str) -> bool:
        """Ask for the object's head."""
        with _as_os_error():
            try:
                obstore.head(self._store, check_key(key))
            except FileNotFoundError:
                self._ask()  # a head has no body that would tell a missing bucket from a missing object
                return False
            return True

    def delete(self, key: str) -> None:
        """Delete the object; a missing one is fine."""
        with _as_os_error():
            obstore.delete(self._store, check_key(key))

    def url(self, key: str) -> str | None:
        """Sign an address that is good for ``URL_S`` seconds, or return None to have the bytes streamed."""
        if not self._signed:
            return None
        with _as_os_error():
            return obstore.sign(self._store, "GET", check_key(key), timedelta(seconds=URL_S))

    def keys(self) -> Iterator[tuple[str, float]]:
        """Yield every key and its age, s."""
        with _as_os_error():
            for batch in obstore.list(self._store):
                for found in batch:
                    if not KEY.fullmatch(found["path"]):
                        continue
                    yield found["path"], (datetime.now(UTC) - found["last_modified"]).total_seconds()

    def ping(self) -> None:
        """Ask for the first key. Raises: ``OSError``."""
        with _as_os_error():
            self._ask()

    def read_mark(self) -> str | None:
        """Fetch the object that tells whose storage this is."""
        with _as_os_error():
            try:
                return bytes(obstore.get(self._store, MARK).bytes()).decode("ascii", "replace").strip()
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return None

    def write_mark(self, mark: str) -> None:
        """Store the object that tells whose storage this is."""
        with _as_os_error():
            obstore.put(self._store, MARK, f"{mark}\n".encode())

    def _ask(self) -> None:
        next(iter(obstore.list(self._store, chunk_size=1)), None)


@contextmanager
def _as_os_error() -> Iterator[None]:
    """Turn the client's errors into the one kind that callers take for a store that is away."""
    try:
        yield
    except (BaseError, OSError) as error:
        log.warning("the object store answers: %s", str(error).splitlines()[0])
        raise OSError(errno.EIO, "the object store is away") from error
