"""Measure an AVIF or HEIC by its boxes (ISO/IEC 14496-12 and 23008-12): the picture, its tiles, its layers.

A grid of 4,096 tiles, or a tile that is decoded once for each of 65,535 places, is a few kilobytes long.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from imgpipe.errors import CorruptImage
from imgpipe.imaging.av1 import coded_size
from imgpipe.imaging.limits import MAX_CHUNKS, Measure, too_many

# 48 megapixels of a phone are 192 tiles of 512 px.
MAX_TILES = 1_000
_DEEPEST = 4  # a picture of grids of tiles, with room
_AUXILIARY, _DERIVED = b"auxl", b"dimg"
_AV1 = b"av01"
_PLAIN = frozenset({_AV1, b"hvc1"})
_MARGIN = 64  # px that a stream may round up to whole blocks
_MADE_OF_OTHERS = frozenset({b"grid", b"iden"})
# Planes of the decoder, its answer, and the picture, as measured at 49 megapixels: a phone's HEIC, a usual
# AVIF, either at full colour or with alpha, and what has more than 8 bits.
_HEVC_BYTES, _AV1_BYTES, _FULL_BYTES, _DEEP_BYTES = 7.5, 9.5, 12, 20
_SEQUENCE = b"avis"
_BRANDS = {
    b"avif": "avif",
    _SEQUENCE: "avif",
    b"heic": "heic",
    b"heix": "heic",
    b"heim": "heic",
    b"heis": "heic",
}


class _Box(NamedTuple):
    kind: bytes
    start: int  # of its content
    end: int


@dataclass(slots=True)
class _Items:
    """What the ``meta`` box says, by the numbers of the items."""

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    parts: dict[int, list[int]] = field(default_factory=dict)
    layers: list[int] = field(default_factory=list)  # alpha and the like, beside the primary
    bytes_per_pixel: float = 0.0  # of the dearest stream; 0 while none is described
    places: dict[int, tuple[int, int]] = field(default_factory=dict)  # start and end in the file


def brand(head: bytes) -> str | None:
    """Tell avif from heic by the brands at the beginning of a file, the major one first."""
    if head[4:8] != b"ftyp":
        return None
    length = int.from_bytes(head[:4], "big")
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, min(length, len(head)), 4))]
    return next((_BRANDS[name] for name in brands if name in _BRANDS), None)


def measure(data: bytes) -> Measure:
    """Read the size of the primary picture, and refuse what is made of too many others.

    Raises:
        TooComplex: over 1,000 tiles, or over 10,000 boxes.
        CorruptImage: there is no primary picture, or it is of no kind that is known.
    """
    if data[8:12] == _SEQUENCE:
        return Measure(*_track_size(data), _DEEP_BYTES)
    items = _read_items(data)
    width, height = items.sizes.get(items.primary, (0, 0))
    if not width or not height:
        raise CorruptImage
    passed = sum(_pixels(items, number, _DEEPEST)[1] for number in (items.primary, *items.layers))
    for number, kind in items.kinds.items():
        if kind == _AV1:
            _check_coded(data, items.places.get(number, (0, 0)), items.sizes.get(number, (0, 0)))
    # Tiles reach over the edge; what they have beyond that costs as if the picture were larger.
    layered = _FULL_BYTES if items.layers else 0
    bytes_per_pixel = max(items.bytes_per_pixel or _DEEP_BYTES, layered)
    return Measure(width, height, bytes_per_pixel * max(1.0, passed / (2 * width * height)))


def _check_coded(data: bytes, place: tuple[int, int], size: tuple[int, int]) -> None:
    """Refuse a stream that is larger than its box says: the decoder would believe the stream."""
    width, height = coded_size(data, *place)
    if width > size[0] + _MARGIN or height > size[1] + _MARGIN:
        raise CorruptImage


def _track_size(data: bytes) -> tuple[int, int]:
    """Return the size of the first track of a sequence, which its header ends with, as 16.16 bits each."""
    for moov in _boxes(data, 0, len(data)):
        if moov.kind != b"moov":
            continue
        for track in _boxes(data, moov.start, moov.end):
            for box in _boxes(data, track.start, track.end) if track.kind == b"trak" else ():
                if box.kind == b"tkhd" and box.end - box.start >= 8:
                    width, height = (_number(data, box.end - back, 2)[0] for back in (8, 4))
                    _check_coded(data, _first_sample(data, track), (width, height))
                    return width, height
    raise CorruptImage


def _first_sample(data: bytes, track: _Box) -> tuple[int, int]:
    """Return where the first frame of a track begins and ends."""
    offsets, sizes = (_inner(data, track, (b"mdia", b"minf", b"stbl", table)) for table in (b"stco", b"stsz"))
    start, _ = _number(data, offsets.start + 8, 4)
    same, after = _number(data, sizes.start + 4, 4)
    return start, min(len(data), start + (same or _number(data, after + 4, 4)[0]))


def _inner(data: bytes, box: _Box, path: tuple[bytes, ...]) -> _Box:
    """Follow a path of kinds into a box."""
    for kind in path:
        found = next((inner for inner in _boxes(data, box.start, box.end) if inner.kind == kind), None)
        if found is None:
            raise CorruptImage
        box = found
    return box


def _pixels(items: _Items, number: int, depth: int) -> tuple[int, int]:
    """Return how many pictures are decoded for an item, and how many pixels they have together."""
    kind = items.kinds.get(number, b"")
    if kind in _PLAIN:
        width, height = items.sizes.get(number, (0, 0))
        return 1, width * height
    if kind not in _MADE_OF_OTHERS or not depth:
        raise CorruptImage
    tiles = pixels = 0
    for part in items.parts.get(number, []):
        count, area = _pixels(items, part, depth - 1)
        tiles, pixels = tiles + count, pixels + area
        if tiles > MAX_TILES:
            raise too_many("tiles", MAX_TILES)
    return tiles, pixels


def _read_items(data: bytes) -> _Items:
    meta = next((box for box in _boxes(data, 0, len(data)) if box.kind == b"meta"), None)
    if meta is None:
        raise CorruptImage
    items = _Items()
    for box in _boxes(data, meta.start + 4, meta.end):
        if box.kind == b"pitm":
            items.primary, _ = _number(data, box.start + 4, 2 if data[box.start] == 0 else 4)
        elif box.kind == b"iinf":
            _read_kinds(data, box, items)
        elif box.kind == b"iprp":
            _read_sizes(data, box, items)
        elif box.kind == b"iloc":
            _read_places(data, box, _content_of(data, meta, b"idat"), items)
    for box in _boxes(data, meta.start + 4, meta.end):
        if box.kind == b"iref":
            _read_references(data, box, items)
    return items


def _read_kinds(data: bytes, box: _Box, items: _Items) -> None:
    count, position = _number(data, box.start + 4, 2 if data[box.start] == 0 else 4)
    if count > MAX_TILES:
        raise too_many("tiles", MAX_TILES)
    for entry in _boxes(data, position, box.end):
        wide = 4 if data[entry.start] >= 3 else 2
        number, after = _number(data, entry.start + 4, wide)
        items.kinds[number] = data[after + 2 : after + 6]


def _content_of(data: bytes, parent: _Box, kind: bytes) -> int:
    boxes = _boxes(data, parent.start + 4, parent.end)
    return next((box.start for box in boxes if box.kind == kind), 0)


def _read_places(data: bytes, box: _Box, inner: int, items: _Items) -> None:
    """Note where the bytes of each item are: in the file, or behind ``inner`` in the box for small ones."""
    version, sizes = data[box.start], int.from_bytes(data[box.start + 4 : box.start + 6], "big")
    wide_offset, wide_length, wide_base, wide_index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version == 2 else 2
    count, position = _number(data, box.start + 6, wide)
    for _ in range(min(count, MAX_CHUNKS)):
        number, position = _number(data, position, wide)
        method = 0
        if version:
            method, position = _number(data, position, 2)
        base, position = _number(data, position + 2, wide_base)
        extents, position = _number(data, position, 2)
        if extents != 1:
            raise too_many("extents", 1)
        offset, position = _number(data, position + (wide_index if version else 0), wide_offset)
        length, position = _number(data, position, wide_length)
        start = base + offset + (inner if method & 15 == 1 else 0)
        items.places[number] = start, min(len(data), start + length if length else len(data))


def _read_sizes(data: bytes, box: _Box, items: _Items) -> None:
    """Note the size of each item: properties lie in one list, and a second one says whose they are."""
    sizes: dict[int, tuple[int, int]] = {}
    for part in _boxes(data, box.start, box.end):
        if part.kind == b"ipco":
            for index, property in enumerate(_boxes(data, part.start, part.end), 1):
                if property.kind == b"ispe":
                    width, after = _number(data, property.start + 4, 4)
                    sizes[index] = width, _number(data, after, 4)[0]
                items.bytes_per_pixel = max(
                    items.bytes_per_pixel, _cost(data[property.start :][:19], property.kind)
                )
    for part in _boxes(data, box.start, box.end):
        if part.kind == b"ipma":
            _associate(data, part, sizes, items)


def _cost(coding: bytes, kind: bytes) -> float:
    """Return what a pixel of a stream takes, by its ``hvcC`` (ISO/IEC 14496-15, 8.3.3) or ``av1C``."""
    if kind == b"av1C" and len(coding) > 2:
        deep, full, plain = coding[2] & 0x60, coding[2] & 0x0C != 0x0C, _AV1_BYTES
    elif kind == b"hvcC" and len(coding) > 18:
        deep, full, plain = (coding[17] | coding[18]) & 7, coding[16] & 3 > 1, _HEVC_BYTES
    else:
        return 0.0
    return _DEEP_BYTES if deep else _FULL_BYTES if full else plain


def _associate(data: bytes, box: _Box, sizes: dict[int, tuple[int, int]], items: _Items) -> None:
    wide_number = 4 if data[box.start] >= 1 else 2
    wide_index = 2 if data[box.start + 3] & 1 else 1
    count, position = _number(data, box.start + 4, 4)
    for _ in range(min(count, MAX_CHUNKS)):
        number, position = _number(data, position, wide_number)
        properties, position = _number(data, position, 1)
        for _ in range(properties):
            index, position = _number(data, position, wide_index)
            index &= 0x7FFF if wide_index == 2 else 0x7F  # the first bit says whether it is essential
            if index in sizes:
                items.sizes[number] = sizes[index]


def _read_references(data: bytes, box: _Box, items: _Items) -> None:
    wide = 2 if data[box.start] == 0 else 4
    for reference in _boxes(data, box.start + 4, box.end):
        source, position = _number(data, reference.start, wide)
        count, position = _number(data, position, 2)
        if count > MAX_TILES:
            raise too_many("tiles", MAX_TILES)
        targets = []
        for _ in range(count):
            target, position = _number(data, position, wide)
            targets.append(target)
        if reference.kind == _DERIVED:
            items.parts.setdefault(source, []).extend(targets)
        elif reference.kind == _AUXILIARY and items.primary in targets:
            items.layers.append(source)


def _boxes(data: bytes, position: int, end: int) -> Iterator[_Box]:
    for _ in range(MAX_CHUNKS):
        if position + 8 > end:
            return
        length, start = _number(data, position, 4)[0], position + 8
        if length == 1:
            length, start = _number(data, start, 8)
        after = end if length == 0 else position + length
        if after < start or after > end:
            raise CorruptImage
        yield _Box(data[position + 4 : position + 8], start, after)
        position = after
    raise too_many("boxes", MAX_CHUNKS)


def _number(data: bytes, position: int, size: int) -> tuple[int, int]:
    """Read a big-endian number; returns it and where it ends."""
    found = data[position : position + size]
    if len(found) < size:
        raise CorruptImage
    return int.from_bytes(found, "big"), position + size
