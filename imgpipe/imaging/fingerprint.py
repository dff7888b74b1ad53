"""Sum a picture up: a colour to paint before it arrives, and 64 bits to find others that look like it."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image, Resampling

from imgpipe.imaging.color import WHITE, lay_on
from imgpipe.imaging.formats import format_of

BITS = 64
_MASK = (1 << BITS) - 1
_SIDE = 32  # px: what the hash looks at, the size that pHash (Zauner, 2010) works on as well
_COLOR_SIDE = 64
_SHADES = 8  # a channel, when colours are counted
_VISIBLE = 128
# Weaker than this, in grey levels, no pattern outlives JPEG's rounding.
_LEAST_CONTRAST = 1.0
# Of the strongest frequency; a weaker one is noise, whose sign would change with every recompression.
_NOISE = 0.01


def dominant_color(picture: Image) -> str | None:
    """Return the colour that covers the most of an RGB or RGBA picture, as ``#rrggbb``.

    Colours are counted in 512 boxes, and the fullest box gives its mean. What is less than half opaque does
    not count; None when nothing is left.
    """
    tiny = picture.resize(_within(picture, _COLOR_SIDE), Resampling.BOX)
    pixels = np.asarray(tiny).reshape(-1, len(tiny.getbands()))
    if tiny.mode == "RGBA":
        pixels = pixels[pixels[:, 3] >= _VISIBLE, :3]
    if not len(pixels):
        return None
    boxes = (pixels // (256 // _SHADES)) @ np.array([_SHADES**2, _SHADES, 1])
    fullest = pixels[boxes == np.bincount(boxes).argmax()]
    red, green, blue = np.rint(fullest.mean(axis=0)).astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"


def perceptual_hash(picture: Image) -> int | None:
    """Return 64 bits that stay when an RGB or RGBA picture is resized, recompressed or slightly cropped.

    Each bit is the sign of one of the 64 lowest frequencies of the whole picture's brightness (a cosine
    transform of 32 x 32 px), so colour counts for nothing, and a picture is a stranger to its mirror image
    and to its negative. What shows through is taken on white. As a signed whole number, the way databases
    keep it; None for a blank picture, which would look like every other blank one. Compare by ``distance``.
    """
    opaque = lay_on(picture, WHITE, picture.size) if picture.mode == "RGBA" else picture
    grey = opaque.convert("L").resize((_SIDE, _SIDE), Resampling.BILINEAR)
    lowest = (_COSINES @ np.asarray(grey, np.float64) @ _COSINES.T)[_ROWS, _COLUMNS]
    strongest = np.abs(lowest).max()
    if strongest < _LEAST_CONTRAST:
        return None
    return int(np.packbits(lowest > _NOISE * strongest).view(">i8")[0])


def fingerprint_of(derivative: bytes) -> tuple[str | None, int | None]:
    """Return colour and hash of a finished JPEG or PNG; the hash may be a bit or two off its original's."""
    with format_of(derivative).open(BytesIO(derivative)) as picture:
        plain = picture.convert("RGBA" if picture.mode == "RGBA" else "RGB")
    return dominant_color(plain), perceptual_hash(plain)


def distance(one: int, other: int) -> int:
    """Count the bits in which two perceptual hashes differ: 0 is the same, about 32 unrelated."""
    return ((one ^ other) & _MASK).bit_count()


def _within(picture: Image, side: int) -> tuple[int, int]:
    return min(picture.width, side), min(picture.height, side)


def _cosines() -> NDArray[np.float64]:
    """Return the rows of a DCT-II, scaled so that a strength is in grey levels."""
    frequency, place = np.ogrid[:_SIDE, :_SIDE]
    cosines: NDArray[np.float64] = np.cos(np.pi * frequency * (2 * place + 1) / (2 * _SIDE)) / _SIDE
    return cosines


_COSINES = _cosines()
# From low to high, diagonal by diagonal; the first, the mean brightness, is left out.
_ORDER = sorted(np.ndindex(_SIDE, _SIDE), key=lambda at: (sum(at), at))[1 : BITS + 1]
_ROWS, _COLUMNS = (np.array(axis) for axis in zip(*_ORDER, strict=True))
