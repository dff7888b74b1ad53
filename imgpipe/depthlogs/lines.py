"""Hold neighbouring rows of a log as arrays, and cut rows into blocks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgpipe.scanlines.resize import WIDTH, resize, resize_around

BLOCK_ROWS = 1_000
BLOCK_BYTES = 512 << 10
# Resized at once, so that what lies between source and result stays in the processor's cache.
RESIZED_BYTES = 64 << 10

Bytes = NDArray[np.uint8]
Widths = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Lines:
    """Rows in ascending depth, each depth once.

    ``depths`` float64 (n,); ``source`` uint8 (n, w) as uploaded, where a row's own width in ``widths``,
    uint16 (n,), may be less than w; ``pixels`` uint8 (n, 150). ``holes`` and ``source_holes`` are bits of
    these two, each row in whole bytes, or None where there are none.
    """

    depths: NDArray[np.float64]
    widths: Widths
    pixels: Bytes
    source: Bytes
    holes: Bytes | None = None
    source_holes: Bytes | None = None

    def __len__(self) -> int:
        return len(self.depths)

    @property
    def width(self) -> int:
        """Return the width of the widest row as uploaded."""
        return int(self.source.shape[1])

    @property
    def mixed(self) -> bool:
        """Tell whether some rows are narrower than others."""
        return bool((self.widths != self.width).any())

    def part(self, start: int, end: int) -> "Lines":
        """Return the rows from ``start`` to before ``end`` as views."""
        return self._each(lambda array: array[start:end])

    def taken(self, places: NDArray[np.intp]) -> "Lines":
        """Return the rows at ``places``, in this order."""
        return self._each(lambda array: array[places])

    def histogram(self) -> NDArray[np.uint32]:
        """Count each value of the resized pixels that are no holes, uint32 (256,)."""
        grey = Image.fromarray(self.pixels)
        if self.holes is None:
            return np.array(grey.histogram(), np.uint32)
        seen = (unpack(self.holes, WIDTH) ^ 1) * np.uint8(255)
        return np.array(grey.histogram(Image.fromarray(seen)), np.uint32)

    def hole_count(self) -> int:
        """Count the holes among the pixels as uploaded."""
        bits = self.source_holes
        return 0 if bits is None else int(np.bitwise_count(bits).sum(dtype=np.int64))

    def _each(self, choose: Callable[[Any], Any]) -> "Lines":
        holes, source_holes = (
            None if bits is None else choose(bits) for bits in (self.holes, self.source_holes)
        )
        planes = choose(self.pixels), choose(self.source)
        return Lines(choose(self.depths), choose(self.widths), *planes, holes, source_holes)


def lines_of(depths: NDArray[np.float64], source: Bytes, source_holes: Bytes | None = None) -> Lines:
    """Make rows out of what was uploaded: ``source`` uint8 (n, w), and the bits of its holes."""
    count, width = source.shape
    widths = np.full(count, width, np.uint16)
    if source_holes is not None and source_holes.any():
        mask = unpack(source_holes, width).view(np.bool_)
        pixels, holes = resize_around(source, mask)
        bits = None if holes is None else np.packbits(holes, axis=1)
        return Lines(depths, widths, pixels, source, bits, source_holes)
    step = max(1, RESIZED_BYTES // width)
    pixels = np.empty((count, WIDTH), np.uint8)
    for start in range(0, count, step):
        pixels[start : start + step] = resize(source[start : start + step])
    return Lines(depths, widths, pixels, source)


def unpack(bits: Bytes, width: int) -> Bytes:
    """Spread bits, uint8 (n, bytes), to 0 and 1, uint8 (n, ``width``)."""
    return np.unpackbits(bits, axis=1, count=width)


def joined(parts: Sequence[Lines]) -> Lines:
    """Put rows one behind the other, whatever their widths; there is at least one part."""
    if len(parts) == 1:
        return parts[0]
    width = max(part.width for part in parts)
    return Lines(
        np.concatenate([part.depths for part in parts]),
        np.concatenate([part.widths for part in parts]),
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([_widened(part.source, width) for part in parts]),
        _joined_bits([part.holes for part in parts], parts, -(-WIDTH // 8)),
        _joined_bits([part.source_holes for part in parts], parts, -(-width // 8)),
    )


def overlaid(old: Lines, new: Lines) -> Lines:
    """Merge by depth; where both have one, the new row is the one that stays."""
    if not len(old):
        return new
    both = joined([old, new])
    order = np.argsort(both.depths, kind="stable")  # the new one of two stands behind the old one
    ascending = both.depths[order]
    last = np.append(ascending[1:] > ascending[:-1], True)
    return both.taken(order[last])


class Cutter:
    """Gather rows and cut them into blocks of about a thousand, fewer where they are wide."""

    def __init__(self) -> None:
        self._parts: list[Lines] = []
        self._rows = 0

    def add(self, lines: Lines) -> Iterator[Lines]:
        """Take rows that follow those before; yield the blocks that are full with them."""
        while len(lines):
            limit = block_rows(max(part.width for part in (*self._parts, lines)))
            room = max(limit - self._rows, 0)
            self._parts.append(lines.part(0, room))
            self._rows += min(room, len(lines))
            lines = lines.part(room, len(lines))
            if self._rows >= limit:
                yield from self.cut()

    def cut(self) -> Iterator[Lines]:
        """Yield what has been gathered, if anything, as a block."""
        if self._rows:
            block = _narrowed(joined(self._parts))
            self._parts, self._rows = [], 0
            yield block


def block_rows(width: int) -> int:
    """Return how many rows a block of this width takes at most."""
    return max(1, min(BLOCK_ROWS, BLOCK_BYTES // (8 + WIDTH + width)))


def _narrowed(lines: Lines) -> Lines:
    """Drop the columns that no row reaches any more."""
    width = int(lines.widths.max())
    if width == lines.width:
        return lines
    bits = None if lines.source_holes is None else lines.source_holes[:, : -(-width // 8)]
    return replace(lines, source=lines.source[:, :width], source_holes=bits)


def _widened(bytes: Bytes, width: int) -> Bytes:
    missing = width - bytes.shape[1]
    return np.pad(bytes, ((0, 0), (0, missing))) if missing else bytes


def _joined_bits(bits: Sequence[Bytes | None], parts: Sequence[Lines], width: int) -> Bytes | None:
    if all(some is None for some in bits):
        return None
    return np.concatenate(
        [
            np.zeros((len(part), width), np.uint8) if some is None else _widened(some, width)
            for some, part in zip(bits, parts, strict=True)
        ]
    )
