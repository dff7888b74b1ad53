"""Refuse files that cost far more time to decode than their size and pixels say, without decoding them.

A 1.4 MB progressive JPEG of 100,000 scans takes half a minute, and Pillow reads the segments of a JPEG
header and the chunks of a PNG one by one in Python.
"""

import re
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from imgpipe.errors import CorruptImage, TooComplex

# Real JPEGs have at most 14 scans, and a 32 MB PNG in 8 kB chunks, libpng's default, has 4,000 of them.
MAX_SCANS = 100
MAX_CHUNKS = 10_000
# ICC profiles and extended XMP come in hundreds of segments of 64 kB, EXIF in one.
MAX_SEGMENTS = 10_000
MAX_STRAY_BYTES = 100_000
MAX_EXIF_BYTES = 1 << 20

# A marker is 0xFF and a code (ITU-T T.81, B.1.1.3). 0xFF00 is a byte of pixels; 0xFFD0 to 0xFFD7, the
# restarts, stand among pixels too.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_TEM, _SOI, _EOI, _SOS, _APP1 = 0x01, 0xD8, 0xD9, 0xDA, 0xE1
_WITHOUT_BODY = frozenset({_TEM, _SOI, _EOI})

_PNG_SIGNATURE_BYTES = 8
_CHUNK_HEAD = Struct(">I4s")
_CHUNK_FRAME_BYTES = 12


class _Segment(NamedTuple):
    code: int
    start: int  # of the two bytes of length
    end: int
    stray_bytes: int  # in front of the marker


def check_jpeg(data: bytes) -> None:
    """Refuse more than 100 scans, and what is long to read before and between them.

    Raises:
        TooComplex: scans, segments, stray bytes or EXIF over the limit.
        CorruptImage: the file ends before its first scan.
    """
    frame, scan = _read_header(data)
    if not _has_one_scan(data, frame, scan) and _count_scans(data, scan) > MAX_SCANS:
        raise TooComplex(details={"max_scans": MAX_SCANS})


def check_png(data: bytes) -> None:
    """Refuse more than 10,000 chunks.

    Raises:
        TooComplex: there are more.
    """
    position, last = _PNG_SIGNATURE_BYTES, len(data) - _CHUNK_FRAME_BYTES
    for _ in range(MAX_CHUNKS):
        if position > last:
            return
        length, kind = _CHUNK_HEAD.unpack_from(data, position)
        if kind == b"IEND":
            return
        position += length + _CHUNK_FRAME_BYTES
    raise TooComplex(details={"max_chunks": MAX_CHUNKS})


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
    raise TooComplex(details={"max_segments": MAX_SEGMENTS})


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


def _has_one_scan(data: bytes, frame: _Segment | None, scan: _Segment) -> bool:
    """Tell whether the first scan holds all components for good, so that libjpeg refuses a second one."""
    if frame is None or frame.code in _PROGRESSIVE:
        return False
    # The number of components: after length, precision, height, width; and after length.
    return data[frame.start + 7 : frame.start + 8] == data[scan.start + 2 : scan.start + 3]


def _count_scans(data: bytes, first: _Segment) -> int:
    scans = 1
    for segment in _segments(data, first.end):
        scans += segment.code == _SOS
        # What follows the end is no part of the picture: further frames of an MPO, a phone's film.
        if segment.code == _EOI or scans > MAX_SCANS:
            break
    return scans
