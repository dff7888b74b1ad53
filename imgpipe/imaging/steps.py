"""The steps of the pipeline, in the order in which it takes them.

Shrinking comes as early as it can, so that every later step works on some 500 px instead of millions.
"""

from PIL.Image import Image, Resampling

from imgpipe.imaging.color import BLACK, convert_to_srgb, lay_on, shows_through, smooth
from imgpipe.imaging.encoding import encode
from imgpipe.imaging.fingerprint import dominant_color, perceptual_hash
from imgpipe.imaging.geometry import Size, fit, turn_upright, upright_size
from imgpipe.imaging.metadata import describe_picture
from imgpipe.imaging.work import Derivative, Name, Work

SMALL, MEDIUM, SQUARE = 128, 512, 512

# How far above the medium the JPEG decoder's own scaling stops, and LANCZOS begins. Measured on 12 MP: twice
# costs 1.75 times the time for 0.001 of SSIM, once is no faster and visibly softer; at 24 MP 1.4 lets the
# decoder go down to 1/8 (750 px), which 1.5 would just miss.
DRAFT_GAP = 1.4
# The same for everything else, where Pillow averages whole blocks first. Three times takes a 12 MP PNG 13 ms
# more for 0.0006 of SSIM, 1.5 times saves 8 ms (of 300) and loses 0.004.
REDUCING_GAP = 2.0


def describe(work: Work) -> None:
    """Read size, mode, EXIF and profile before any conversion loses them."""
    if work.format == "png":
        # EXIF may follow the pixels, and reading it would then load them where no damage is reported.
        work.picture.load()
    work.metadata = describe_picture(work.picture, work.format, len(work.source))
    work.icc_profile = work.picture.info.get("icc_profile")


def shrink(work: Work) -> None:
    """Decode all of it, a JPEG at the smallest sufficient scale, and resample to the medium's size."""
    size = _stored_medium_size(work)
    box = None
    if work.format == "jpg":
        _, box = work.picture.draft(None, _draft_size(size)) or (None, None)
    picture = smooth(_load(work.picture))
    work.picture = picture.resize(size, Resampling.LANCZOS, box, REDUCING_GAP)


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
    """Encode the medium and, made from it, the small one."""
    size = work.metadata["width"], work.metadata["height"]
    _add(work, "medium", work.picture)
    _add(work, "small", work.picture.resize(fit(size, SMALL), Resampling.BICUBIC))


def square(work: Work) -> None:
    """Centre the medium on black, 512 x 512 and opaque."""
    _add(work, "square", lay_on(work.picture, BLACK, (SQUARE, SQUARE)))


def _stored_medium_size(work: Work) -> Size:
    size = work.metadata["width"], work.metadata["height"]
    return upright_size(fit(size, MEDIUM), work.metadata["orientation"])


def _draft_size(size: Size) -> Size:
    return int(size[0] * DRAFT_GAP), int(size[1] * DRAFT_GAP)


def _load(picture: Image) -> Image:
    picture.load()
    return picture


def _add(work: Work, name: Name, picture: Image) -> None:
    kind, data = encode(picture)
    work.derivatives.append(Derivative(name, kind, picture.width, picture.height, data))
