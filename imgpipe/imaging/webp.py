"""Measure a WebP by its chunks: https://developers.google.com/speed/webp/docs/riff_container."""

from imgpipe.errors import CorruptImage
from imgpipe.imaging.limits import MAX_CHUNKS, Measure, too_many

_HEAD_BYTES = 12  # RIFF, the length of the rest, WEBP
_CHUNK_BYTES = 8  # kind and length
_KEY_FRAME, _LOSSLESS = b"\x9d\x01\x2a", 0x2F
# The animation decoder, which Pillow uses for every WebP, holds two canvases of four bytes a pixel beside its
# answer and the picture: 16.6 were measured.
_BYTES_PER_PIXEL = 17


def begins(head: bytes) -> bool:
    """Tell a WebP by its first 12 bytes."""
    return head.startswith(b"RIFF") and head[8:12] == b"WEBP"


def measure(data: bytes) -> Measure:
    """Read the size of the canvas, and refuse more than 10,000 chunks, a frame of an animation being one.

    Raises:
        TooComplex: there are more.
        CorruptImage: the first chunk is of no kind that tells a size.
    """
    position = _HEAD_BYTES
    for _ in range(MAX_CHUNKS):
        if position + _CHUNK_BYTES > len(data):
            return Measure(*_size(data), _BYTES_PER_PIXEL)
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        position += _CHUNK_BYTES + length + length % 2
    raise too_many("chunks", MAX_CHUNKS)


def _size(data: bytes) -> tuple[int, int]:
    kind, body = data[_HEAD_BYTES : _HEAD_BYTES + 4], data[_HEAD_BYTES + _CHUNK_BYTES :][:10]
    if len(body) < 10:
        raise CorruptImage
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8 " and body[3:6] == _KEY_FRAME:
        return _14_bits(body[6:8]), _14_bits(body[8:10])
    if kind == b"VP8L" and body[0] == _LOSSLESS:
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    raise CorruptImage


def _14_bits(two: bytes) -> int:
    return int.from_bytes(two, "little") & 0x3FFF
