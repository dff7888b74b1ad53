"""Name a place between two depths of a log, as a text that a client hands back."""

import struct
from typing import NamedTuple

from imgpipe.database.paging import seal, unseal
from imgpipe.errors import InvalidCursor

SHALLOWER, DEEPER = b"s", b"d"
_PLACE = struct.Struct(">cd")


class Cursor(NamedTuple):
    """The rows above a depth or below it, this one excluded."""

    direction: bytes
    depth: float

    def encode(self) -> str:
        """Return the text."""
        return seal(_PLACE.pack(self.direction, self.depth))


def decode(text: str) -> Cursor:
    """Read the text. Raises: ``InvalidCursor``."""
    try:
        place = Cursor(*_PLACE.unpack(unseal(text)))
    except struct.error as error:  # a cursor of another list
        raise InvalidCursor from error
    if place.direction not in (SHALLOWER, DEEPER):
        raise InvalidCursor
    return place
