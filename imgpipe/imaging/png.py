"""Measure a PNG by its chunks, and tell one whose pixels end early."""

import zlib
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from PIL.Image import Image

from imgpipe.errors import CorruptImage
from imgpipe.imaging.limits import MAX_CHUNKS, PNG_BYTES_PER_PIXEL, Measure, too_many

_SIGNATURE_BYTES = 8
_HEAD = Struct(">I4s")
_FRAME_BYTES = 12  # length, kind and checksum of a chunk
_HEADER = Struct(">IIBBBBB")
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_INFLATED_BYTES = 1 << 20
# Start and step of the columns and rows of the seven passes (PNG specification, 8.2).
PASSES = (
    (0, 8, 0, 8),
    (4, 8, 0, 8),
    (0, 4, 4, 8),
    (2, 4, 0, 4),
    (0, 2, 2, 4),
    (1, 2, 0, 2),
    (0, 1, 1, 2),
)


class _Chunk(NamedTuple):
    kind: bytes
    start: int
    end: int


def measure(data: bytes) -> Measure:
    """Read the size, and refuse more than 10,000 chunks.

    Raises:
        TooComplex: there are more.
        CorruptImage: the first chunk is no header.
    """
    first = next(_chunks(data), None)
    if first is None or first.kind != b"IHDR" or first.end - first.start < _HEADER.size:
        raise CorruptImage
    for _ in _chunks(data):
        pass
    width, height, *_ = _HEADER.unpack_from(data, first.start)
    return Measure(width, height, PNG_BYTES_PER_PIXEL)


def check_whole(data: bytes, picture: Image) -> None:
    """Refuse a picture whose deflate stream ended before its last row, which Pillow leaves black in silence.

    Only where the last row is empty, which it seldom is, the stream is unpacked once more and counted.

    Raises:
        CorruptImage: rows are missing.
    """
    width, height = picture.size
    *_, interlaced = _HEADER.unpack_from(data, _SIGNATURE_BYTES + _HEAD.size)
    if not interlaced and _has_content(picture.crop((0, height - 1, width, height))):
        return
    if _count_inflated(data) < _expected_bytes(data):
        raise CorruptImage("The picture ends before its last row.")


def _has_content(row: Image) -> bool:
    extrema = row.getextrema()
    return any(high for _, high in ([extrema] if isinstance(extrema[0], int | float) else extrema))


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Yield the chunks up to the end of the picture, or of the file."""
    position, last = _SIGNATURE_BYTES, len(data) - _FRAME_BYTES
    for _ in range(MAX_CHUNKS):
        if position > last:
            return
        length, kind = _HEAD.unpack_from(data, position)
        if kind == b"IEND":
            return
        start = position + _HEAD.size
        yield _Chunk(kind, start, start + length)
        position += length + _FRAME_BYTES
    raise too_many("chunks", MAX_CHUNKS)


def _count_inflated(data: bytes) -> int:
    unpacker, count = zlib.decompressobj(), 0
    for chunk in _chunks(data):
        if chunk.kind != b"IDAT":
            continue
        packed = data[chunk.start : chunk.end]
        while packed:
            count += len(unpacker.decompress(packed, _INFLATED_BYTES))
            packed = unpacker.unconsumed_tail
    return count


def _expected_bytes(data: bytes) -> int:
    """Count the bytes of all scanlines, each with the byte that names its filter."""
    header = _SIGNATURE_BYTES + _HEAD.size
    width, height, depth, color, _, _, interlaced = _HEADER.unpack_from(data, header)
    bits = depth * _CHANNELS[color]
    passes = PASSES if interlaced else ((0, 1, 0, 1),)
    sizes = ((-(-(width - x) // dx), -(-(height - y) // dy)) for x, dx, y, dy in passes)
    return sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in sizes if columns > 0 and rows > 0)
