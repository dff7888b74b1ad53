"""The steps of the pipeline, in the order in which it takes them.

Shrinking comes as early as it can, so that every later step works on some 500 px instead of millions.
"""

from PIL.Image import Image, Resampling

from imgpipe.imaging.color import BLACK, convert_to_srgb, lay_on, shows_through
from imgpipe.imaging.encoding import encode
from imgpipe.imaging.fingerprint import dominant_color, perceptual_hash
from imgpipe.imaging.geometry import Size, fit, turn_upright, upright_size
from imgpipe.imaging.metadata import describe_picture
from imgpipe.imaging.recipe import SQUARE, SQUARE_PX
from imgpipe.imaging.shrinking import shrink as resample
from imgpipe.imaging.work import Derivative, Work

# How far above the largest size the JPEG decoder's own scaling stops, and LANCZOS begins. Measured on 12 MP
# for 512 px: twice costs 1.75 times the time for 0.001 of SSIM, once is no faster and visibly softer; at
# 24 MP 1.4 lets the decoder go down to 1/8 (750 px), which 1.5 would just miss.
DRAFT_GAP = 1.4


def describe(work: Work) -> None:
    """Read size, mode, EXIF and profile before any conversion loses them."""
    if work.format.exif_follows:
        # Reading it would load the pixels where no damage is reported.
        work.picture.load()
    work.metadata = describe_picture(work.picture, work.format.name, len(work.source))
    work.icc_profile = work.picture.info.get("icc_profile")


def shrink(work: Work) -> None:
    """Decode all of it, a JPEG at the smallest sufficient scale, and resample to the largest size."""
    size = _stored_size(work)
    box = None
    if work.format.scales:
        _, box = work.picture.draft(None, _draft_size(size)) or (None, None)
    work.picture.load()
    work.format.check_whole(work.source, work.picture)
    work.picture = resample(work.picture, size, box)


def orient(work: Work) -> None:
    """Turn the picture upright."""
    work.picture = turn_upright(work.picture, work.metadata["orientation"])


def to_srgb(work: Work) -> None:
    """Convert through the embedded colour profile, where there is one that works."""
    if work.icc_profile:
        work.picture = convert_to_srgb(work.picture, work.icc_profile)


def flatten(work: Work) -> None:
    """Leave RGBA where something shows through, RGB elsewhere, and nothing beside the pixels."""
    mode = "RGBA" if shows_through(work.picture) else "RGB"
    work.picture = work.picture.convert(mode)
    work.picture.info.clear()


def fingerprint(work: Work) -> None:
    """Take the colour to paint before the picture, and the 64 bits that find others like it."""
    work.color = dominant_color(work.picture)
    work.perceptual_hash = perceptual_hash(work.picture)


def thumbnails(work: Work) -> None:
    """Encode the sizes of the recipe, each made from the next larger one."""
    picture = work.picture
    for name, side in sorted(work.recipe.sizes.items(), key=lambda size: -size[1]):
        picture = _fitted(work, picture, side)
        _add(work, name, picture)


def square(work: Work) -> None:
    """Centre the picture on black, 512 x 512 and opaque."""
    picture = _fitted(work, work.picture, SQUARE_PX)
    _add(work, SQUARE, lay_on(picture, BLACK, (SQUARE_PX, SQUARE_PX)))


def _upright_size(work: Work) -> Size:
    return work.metadata["width"], work.metadata["height"]


def _stored_size(work: Work) -> Size:
    largest = fit(_upright_size(work), work.recipe.largest_px)
    return upright_size(largest, work.metadata["orientation"])


def _draft_size(size: Size) -> Size:
    return int(size[0] * DRAFT_GAP), int(size[1] * DRAFT_GAP)


def _fitted(work: Work, picture: Image, side: int) -> Image:
    size = fit(_upright_size(work), side)
    return picture if picture.size == size else picture.resize(size, Resampling.BICUBIC)


def _add(work: Work, name: str, picture: Image) -> None:
    kind, data = encode(picture, work.recipe.jpeg_quality)
    work.derivatives.append(Derivative(name, kind, picture.width, picture.height, data))
