"""Name a place between two depths of a log, as a text that a client hands back."""

import binascii
import hashlib
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple

from imgpipe.errors import InvalidCursor

SHALLOWER, DEEPER = b"s", b"d"
_LENGTH = 20  # 1 byte of direction, 8 of depth and 6 of checksum, in base64


class Cursor(NamedTuple):
    """The rows above a depth or below it, this one excluded."""

    direction: bytes
    depth: float

    def encode(self) -> str:
        """Return the text."""
        payload = self.direction + struct.pack(">d", self.depth)
        return urlsafe_b64encode(payload + _checksum(payload)).decode()


def decode(text: str) -> Cursor:
    """Read the text. Raises: ``InvalidCursor``."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii")) if len(text) == _LENGTH else b""
    except (UnicodeEncodeError, binascii.Error) as error:
        raise InvalidCursor from error
    payload = raw[:9]
    if len(raw) != 15 or raw[9:] != _checksum(payload) or payload[:1] not in (SHALLOWER, DEEPER):
        raise InvalidCursor
    return Cursor(payload[:1], struct.unpack(">d", payload[1:])[0])


def _checksum(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=6).digest()
