"""Bring every mode that JPEG and PNG know to one that shrinks well, and every profile to sRGB."""

from functools import lru_cache
from io import BytesIO

from PIL import ImageCms, ImageMath
from PIL.Image import Image, new

from imgpipe.imaging.geometry import Size, centred

_SRGB = ImageCms.createProfile("sRGB")
_SMOOTH = {"1": "L", "P": "RGB"}
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def smooth(picture: Image) -> Image:
    """Return the picture in a mode that resampling handles: L, RGB, RGBA or CMYK.

    A palette and 1 bit would be shrunk by nearest neighbour, 16 bit be clipped to white on conversion, and
    a transparent colour (tRNS) vanish from the pixels and break the PNG later.
    """
    if picture.mode == "I;16":
        return _from_16_bit(picture)
    if picture.has_transparency_data and picture.mode != "RGBA":
        return picture.convert("RGBA")
    return picture.convert(_SMOOTH[picture.mode]) if picture.mode in _SMOOTH else picture


def _from_16_bit(picture: Image) -> Image:
    # 257 = 65,535 / 255; the half rounds, as the conversion cuts fractions off.
    grey = picture.point(lambda level: level * (1 / 257) + 0.5).convert("L")
    clear = picture.info.get("transparency")
    if not isinstance(clear, int):
        return grey
    grey.putalpha(
        ImageMath.lambda_eval(
            lambda names: names["convert"]((names["level"] != clear) * 255, "L"),
            level=picture.convert("I"),
        )
    )
    return grey.convert("RGBA")


def convert_to_srgb(picture: Image, icc_profile: bytes) -> Image:
    """Convert through the embedded profile; a broken or unfitting one leaves the picture as it is."""
    target = "RGBA" if picture.mode == "RGBA" else "RGB"
    try:
        transform = _transform(icc_profile, picture.mode, target)
        return ImageCms.applyTransform(picture, transform) or picture
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return picture


@lru_cache(maxsize=16)
def _transform(icc_profile: bytes, source: str, target: str) -> ImageCms.ImageCmsTransform:
    """Build a transform to sRGB; few cameras take most pictures, and building costs 2 ms."""
    profile = ImageCms.ImageCmsProfile(BytesIO(icc_profile))
    return ImageCms.buildTransform(profile, _SRGB, source, target)


def shows_through(picture: Image) -> bool:
    """Tell whether any pixel is less than opaque."""
    return picture.mode == "RGBA" and picture.getchannel("A").getextrema() != (255, 255)


def lay_on(picture: Image, color: tuple[int, int, int], size: Size) -> Image:
    """Centre an RGB or RGBA picture on an opaque canvas of ``size``, cropping nothing."""
    canvas = new("RGB", size, color)
    box = centred(picture.size, size)
    canvas.paste(picture, box, picture if picture.mode == "RGBA" else None)
    return canvas
