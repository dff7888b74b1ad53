"""Read how large an AV1 stream really is, whatever its container says (AV1 specification, 5.3 and 5.5)."""

from imgpipe.errors import CorruptImage
from imgpipe.imaging.limits import too_many

_SEQUENCE_HEADER = 1
_MAX_UNITS = 10_000


class _Bits:
    """Read numbers of so many bits, the highest first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise CorruptImage
        return self._value >> self._left & ((1 << count) - 1)

    def skip_uvlc(self) -> None:
        zeros = 0
        while not self.read(1) and zeros < 32:
            zeros += 1
        self.read(zeros)


def coded_size(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Return the largest frame, px, that the units between ``start`` and ``end`` allow.

    Raises:
        CorruptImage: no sequence header, or a broken one.
        TooComplex: over 10,000 units.
    """
    widest = highest = 0
    for _ in range(_MAX_UNITS):
        if start >= end:
            if not widest:
                raise CorruptImage
            return widest, highest
        kind, start, after = _unit(data, start, end)
        if kind == _SEQUENCE_HEADER:
            width, height = _read_sequence(_Bits(data[start : min(after, start + 1024)]))
            widest, highest = max(widest, width), max(highest, height)
        start = after
    raise too_many("units", _MAX_UNITS)


def _unit(data: bytes, start: int, end: int) -> tuple[int, int, int]:
    """Return a unit's kind, and where its content begins and ends."""
    head = data[start]
    start += 2 if head & 4 else 1
    if not head & 2:  # without a size it reaches to the end
        return head >> 3 & 15, start, end
    size = shift = 0
    while start < end and shift < 56:
        byte = data[start]
        start, size, shift = start + 1, size | (byte & 127) << shift, shift + 7
        if byte < 128:
            break
    if start + size > end:
        raise CorruptImage
    return head >> 3 & 15, start, start + size


def _read_sequence(bits: _Bits) -> tuple[int, int]:
    bits.read(4)  # profile, still picture
    if bits.read(1):  # a reduced header, as stills have
        bits.read(5)
    else:
        _skip_operating_points(bits)
    wide, high = bits.read(4) + 1, bits.read(4) + 1
    return bits.read(wide) + 1, bits.read(high) + 1


def _skip_operating_points(bits: _Bits) -> None:
    delay_bits = 0
    if bits.read(1):  # timing
        bits.read(64)
        if bits.read(1):
            bits.skip_uvlc()
        if bits.read(1):  # decoder model
            delay_bits = bits.read(5) + 1
            bits.read(42)
    delays = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if delay_bits and bits.read(1):
            bits.read(2 * delay_bits + 1)
        if delays and bits.read(1):
            bits.read(4)
