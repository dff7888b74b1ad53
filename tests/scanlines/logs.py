"""Make depth logs: small ones cell by cell, hostile ones that never exist in memory as a whole."""

import io
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

HEADER = b"depth,a,b,c\n"


def make_log(
    depths: Iterable[float | str],
    pixels: NDArray[np.uint8],
    *,
    spell: Callable[[str], str] = str,
    newline: str = "\n",
) -> bytes:
    """Write a CSV; ``spell`` may put quotes, blanks or ``.0`` around each pixel."""
    names = [f"col{n}" for n in range(1, pixels.shape[1] + 1)]
    lines = [",".join(["depth", *names])]
    for depth, row in zip(depths, pixels.tolist(), strict=True):
        lines.append(",".join([str(depth), *(spell(str(value)) for value in row)]))
    return "".join(line + newline for line in lines).encode()


def make_image(rows: int, width: int, seed: int = 1) -> NDArray[np.uint8]:
    """Make rows that resemble their neighbours the way rock does, values 13 to 237."""
    rng = np.random.default_rng(seed)
    smooth = rng.normal(size=(rows // 8 + 2, width // 8 + 2)).repeat(8, axis=0).repeat(8, axis=1)
    for axis in (0, 1):
        smooth = np.asarray(sum(np.roll(smooth, shift, axis) for shift in range(9))) / 9
    noisy = smooth[:rows, :width] + rng.normal(scale=0.05, size=(rows, width))
    span = float(np.ptp(noisy)) or 1.0
    return np.asarray(13 + (noisy - noisy.min()) / span * 224).astype(np.uint8)


class Trickle(io.BytesIO):
    """Give out a few bytes a time, as a slow network would, so that chunks end anywhere."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(7)


class Repeated(io.BufferedReader):
    """Read ``head``, then ``pattern`` over and over up to ``size_bytes``, then ``tail``."""

    def __init__(self, head: bytes, pattern: bytes, size_bytes: int, tail: bytes = b"") -> None:
        block = pattern * (1 + (1 << 16) // len(pattern))
        super().__init__(_Parts([head, *[block] * (size_bytes // len(block)), tail]))


class _Parts(io.RawIOBase):
    def __init__(self, parts: Sequence[bytes]) -> None:
        self._parts = iter(parts)
        self._current: BinaryIO = io.BytesIO()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not (data := self._current.read(len(buffer))):
            part = next(self._parts, None)
            if part is None:
                return 0
            self._current = io.BytesIO(part)
        buffer[: len(data)] = data
        return len(data)
