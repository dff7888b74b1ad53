"""Make CSVs of depth logs that need not be held in memory."""

import io
from collections.abc import Iterator, Sequence
from typing import Any

from tests.scanlines.logs import make_image

WIDTH = 200
PIXELS = make_image(10_000, WIDTH)
LINES = [("," + ",".join(map(str, row)) + "\n").encode() for row in PIXELS.tolist()]
HEADER = ("depth," + ",".join(f"col{n}" for n in range(1, WIDTH + 1)) + "\n").encode()


def blocks(rows: int, header: bytes = HEADER, repeated: Sequence[bytes] = LINES) -> Iterator[bytes]:
    """Yield a CSV of 10,000 rows a block, depths from 9000.0 in steps of 0.1."""
    yield header
    for first in range(0, rows, len(repeated)):
        lines = repeated[: rows - first]
        yield b"".join(b"%.1f%s" % (9000 + (first + n) / 10, line) for n, line in enumerate(lines))


class Csv(io.RawIOBase):
    """Make the CSV while it is read, so that it takes no memory."""

    def __init__(self, made: Iterator[bytes]) -> None:
        self._blocks, self._block = made, io.BytesIO()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not (count := self._block.readinto(buffer)):
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._block = io.BytesIO(block)
        return count
