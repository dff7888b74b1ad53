"""Look at a picture's header and refuse what should never be decoded."""

from dataclasses import dataclass

from imgpipe.errors import NoFile, TooManyPixels
from imgpipe.imaging.complexity import check_jpeg, check_png
from imgpipe.imaging.source import Format, damage_refused, format_of, open_picture


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says about itself: ``width`` and ``height`` in px as stored, not yet upright."""

    format: Format
    width: int
    height: int


def probe(data: bytes, max_pixels: int) -> Header:
    """Read the header of a whole file; no pixel is decoded, so a cut or damaged body goes unnoticed.

    Raises:
        NoFile: there are no bytes.
        UnsupportedType: neither JPEG nor PNG by content.
        TooComplex: over 100 scans of a JPEG, over 10,000 chunks of a PNG.
        CorruptImage: the header cannot be read.
        TooManyPixels: width x height is over ``max_pixels``.
    """
    if not data:
        raise NoFile
    kind = format_of(data)
    (check_jpeg if kind == "jpg" else check_png)(data)
    with damage_refused():
        width, height = open_picture(data).size
    if width * height > max_pixels:
        raise TooManyPixels(details={"width": width, "height": height, "max_pixels": max_pixels})
    return Header(kind, width, height)
