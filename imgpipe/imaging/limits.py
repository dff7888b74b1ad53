"""Bound what a file may ask for, as its header tells it, before a pixel is decoded."""

from typing import NamedTuple

from imgpipe.errors import CorruptImage, TooComplex, TooManyPixels

# Pillow keeps a pointer for every row of every intermediate picture: a PNG of 1 x 64,000,000 is 87 bytes long
# and takes 2 GB. No camera and no JPEG goes beyond this.
MAX_SIDE = 65_535
# Of memory, for each pixel that is allowed. PNG: the picture, four bytes a pixel in every mode but the grey
# ones, and what shrinking it takes besides. JPEG: a progressive one keeps its coefficients, CMYK takes 10.
PNG_BYTES_PER_PIXEL, JPEG_BYTES_PER_PIXEL = 6.0, 16.0
# A 32 MB PNG in chunks of 8 kB, libpng's default, has 4,000 of them.
MAX_CHUNKS = 10_000
MAX_EXIF_BYTES = 1 << 20


class Measure(NamedTuple):
    """What a header promises: ``width`` and ``height`` in px as stored, and what memory decoding takes."""

    width: int
    height: int
    bytes_per_pixel: float


def check_size(measure: Measure, max_pixels: int, most_bytes_per_pixel: float) -> None:
    """Refuse what is too large to decode.

    What takes more than ``most_bytes_per_pixel`` is allowed the fewer pixels.

    Raises:
        CorruptImage: a side of nothing.
        TooManyPixels: a side over 65,535 px, or more pixels than ``max_pixels`` or the memory allows.
    """
    width, height, bytes_per_pixel = measure
    if width < 1 or height < 1:
        raise CorruptImage
    size = {"width": width, "height": height}
    allowed = int(max_pixels * min(1, most_bytes_per_pixel / bytes_per_pixel))
    if width * height > allowed:
        raise TooManyPixels(details=size | {"max_pixels": allowed})
    if max(width, height) > MAX_SIDE:
        raise TooManyPixels("The picture has a side that is too long.", details=size | {"max_side": MAX_SIDE})


def too_many(what: str, limit: int) -> TooComplex:
    """Return the error for more than ``limit`` of something; ``details`` names both."""
    return TooComplex(details={f"max_{what}": limit})
