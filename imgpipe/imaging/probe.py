"""Look at a picture's header and refuse what should never be decoded."""

from collections.abc import Collection
from dataclasses import dataclass

from imgpipe.errors import CorruptImage, NoFile
from imgpipe.imaging.damage import damage_refused
from imgpipe.imaging.formats import DEFAULT, format_of, open_picture
from imgpipe.imaging.limits import check_size


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says about itself: ``width`` and ``height`` in px as stored, not yet upright."""

    format: str
    width: int
    height: int


def probe(data: bytes, max_pixels: int, accepted: Collection[str] = DEFAULT) -> Header:
    """Read the header of a whole file; no pixel is decoded, so a cut or damaged body goes unnoticed.

    Raises:
        NoFile: there are no bytes.
        UnsupportedType: none of the ``accepted`` formats by content.
        TooComplex: more scans, chunks or tiles than any honest file has.
        CorruptImage: the header cannot be read.
        TooManyPixels: width x height is over ``max_pixels``, or a side over 65,535 px.
    """
    if not data:
        raise NoFile
    format = format_of(data, accepted)
    with damage_refused():
        measure = format.measure(data)
        check_size(measure, max_pixels, format.most_bytes_per_pixel)
        size = open_picture(data, format).size
    if size[0] * size[1] > measure.width * measure.height:  # the decoder believes another header than we do
        raise CorruptImage
    return Header(format.name, *size)
