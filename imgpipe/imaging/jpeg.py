"""Measure a JPEG by its segments: its size, its scans, and what they cost to decode.

A 1.4 MB progressive JPEG of 100,000 scans takes half a minute, one of 1,180 bytes 22 s: every scan passes
over every pixel, whether it brings anything or not.
"""

import re
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from imgpipe.errors import CorruptImage, TooComplex
from imgpipe.imaging.limits import MAX_EXIF_BYTES, Measure, too_many

# Real JPEGs have at most 14 scans.
MAX_SCANS = 100
# Samples that all scans together pass over. A Huffman-coded one takes up to 0.8 ns, so 2 s; 64 megapixels in
# 14 scans at full colour are 1,200 million.
MAX_SAMPLES = 2_400_000_000
# An arithmetic-coded sample takes up to 4 ns.
ARITHMETIC_COST = 5
# ICC profiles and extended XMP come in hundreds of segments of 64 kB, EXIF in one.
MAX_SEGMENTS = 10_000
MAX_STRAY_BYTES = 100_000

# A marker is 0xFF and a code (ITU-T T.81, B.1.1.3). 0xFF00 is a byte of pixels; 0xFFD0 to 0xFFD7, the
# restarts, stand among pixels too.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_ARITHMETIC = frozenset(range(0xC9, 0xD0)) - {0xCC}
_TEM, _SOI, _EOI, _SOS, _APP1 = 0x01, 0xD8, 0xD9, 0xDA, 0xE1
_WITHOUT_BODY = frozenset({_TEM, _SOI, _EOI})
_SIZE = Struct(">HBHHB")  # length, precision, height, width, number of components
_COMPONENT_BYTES = 3
# Row by row hardly anything is kept; of several scans all coefficients are, two bytes each.
_ROWS_BYTES_PER_PIXEL = 2.0
_COEFFICIENT_BYTES = 2


class _Segment(NamedTuple):
    code: int
    start: int  # of the two bytes of length
    end: int
    stray_bytes: int  # in front of the marker


class _Frame(NamedTuple):
    code: int
    width: int
    height: int
    shares: tuple[tuple[int, float], ...]  # each component's id, and its part of the picture's samples


def measure(data: bytes) -> Measure:
    """Read the size, and refuse what takes long to read or to decode.

    Raises:
        TooComplex: scans, scans x pixels, segments, stray bytes or EXIF over the limit.
        CorruptImage: the file ends before its first scan, or is no picture at all.
    """
    segment, scan = _read_header(data)
    frame = _read_frame(data, segment)
    if _has_one_scan(data, frame, scan):
        return Measure(frame.width, frame.height, _ROWS_BYTES_PER_PIXEL)
    _check_scans(data, frame, scan)
    kept = sum(share for _, share in frame.shares) * _COEFFICIENT_BYTES
    return Measure(frame.width, frame.height, _ROWS_BYTES_PER_PIXEL + kept)


def _read_frame(data: bytes, segment: _Segment | None) -> _Frame:
    if segment is None or segment.end - segment.start < _SIZE.size:
        raise CorruptImage
    _, _, height, width, count = _SIZE.unpack_from(data, segment.start)
    listed = data[segment.start + _SIZE.size : segment.end]
    components = [listed[i : i + 2] for i in range(0, count * _COMPONENT_BYTES, _COMPONENT_BYTES)]
    if not components or len(components[-1]) < 2:
        raise CorruptImage
    sampled = [(id, max(1, sides >> 4), max(1, sides & 15)) for id, sides in components]
    across, down = max(x for _, x, _ in sampled), max(y for _, _, y in sampled)
    shares = tuple((id, x * y / (across * down)) for id, x, y in sampled)
    return _Frame(segment.code, width, height, shares)


def _check_scans(data: bytes, frame: _Frame, first: _Segment) -> None:
    """Refuse too many scans, and too many samples in all of them together."""
    cost = ARITHMETIC_COST if frame.code in _ARITHMETIC else 1
    samples = 0.0
    for count, scan in enumerate(_scans(data, first), 1):
        samples += cost * frame.width * frame.height * _share(data, frame, scan)
        if count > MAX_SCANS:
            raise too_many("scans", MAX_SCANS)
        if samples > MAX_SAMPLES:
            raise too_many("samples", MAX_SAMPLES // cost)


def _share(data: bytes, frame: _Frame, scan: _Segment) -> float:
    """Return what part of the picture's samples a scan passes over; over 1 for several components."""
    count = data[scan.start + 2] if scan.start + 2 < len(data) else 0
    ids = data[scan.start + 3 : scan.start + 3 + 2 * count : 2]
    shares = dict(frame.shares)
    return sum(shares.get(id, 1.0) for id in ids)


def _segments(data: bytes, position: int) -> Iterator[_Segment]:
    """Walk from marker to marker, past the pixels between them and whatever a segment holds."""
    for _ in range(MAX_SEGMENTS):
        match = _MARKER.search(data, position)
        if match is None:
            return
        code, start = data[match.end() - 1], match.end()
        length = 0 if code in _WITHOUT_BODY else max(2, int.from_bytes(data[start : start + 2], "big"))
        yield _Segment(code, start, start + length, match.start() - position)
        position = start + length
    raise too_many("segments", MAX_SEGMENTS)


def _read_header(data: bytes) -> tuple[_Segment | None, _Segment]:
    """Return the frame header, if there is one, and the first scan header."""
    frame, stray_bytes, exif_bytes = None, 0, 0
    for segment in _segments(data, position=2):
        stray_bytes += segment.stray_bytes
        if segment.code == _APP1 and data.startswith(b"Exif", segment.start + 2):
            exif_bytes += segment.end - segment.start
        if stray_bytes > MAX_STRAY_BYTES or exif_bytes > MAX_EXIF_BYTES:
            raise TooComplex(details={"max_stray_bytes": MAX_STRAY_BYTES, "max_exif_bytes": MAX_EXIF_BYTES})
        if segment.code in _FRAMES:
            frame = segment
        if segment.code == _SOS:
            return frame, segment
    raise CorruptImage


def _has_one_scan(data: bytes, frame: _Frame, scan: _Segment) -> bool:
    """Tell whether the first scan holds all components for good, so that libjpeg refuses a second one."""
    # The number of components follows the two bytes of length.
    count = data[scan.start + 2 : scan.start + 3]
    return frame.code not in _PROGRESSIVE and count == bytes([len(frame.shares)])


def _scans(data: bytes, first: _Segment) -> Iterator[_Segment]:
    yield first
    for segment in _segments(data, first.end):
        if segment.code == _SOS:
            yield segment
        # What follows the end is no part of the picture: further frames of an MPO, a phone's film.
        if segment.code == _EOI:
            return
