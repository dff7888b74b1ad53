"""Turn finished pixels into JPEG or PNG bytes that carry nothing but pixels."""

from io import BytesIO

from PIL.Image import Image

from imgpipe.imaging.color import WHITE, lay_on
from imgpipe.imaging.damage import damage_refused
from imgpipe.imaging.formats import format_of, open_picture
from imgpipe.imaging.recipe import RECIPE

# zlib's Z_RLE, runs alone: of transparent photos, logos and drawings it takes less time than any level of the
# usual search, and fewer bytes than the quick ones.
PNG_RUNS = 3


def encode(picture: Image, quality: int = RECIPE.jpeg_quality) -> tuple[str, bytes]:
    """Encode RGB as JPEG (4:2:0) and RGBA as PNG, without EXIF or profile; returns jpg or png too."""
    out = BytesIO()
    if picture.mode == "RGBA":
        picture.save(out, "PNG", compress_type=PNG_RUNS)
        return "png", out.getvalue()
    picture.save(out, "JPEG", quality=quality, subsampling="4:2:0")
    return "jpg", out.getvalue()


def jpeg_on_white(data: bytes) -> bytes:
    """Give a medium, JPEG or PNG, as JPEG: a PNG is laid on white, a JPEG returned as it is.

    Raises:
        UnsupportedType, CorruptImage: it is not one of ours.
    """
    format = format_of(data)
    if format.name == "jpg":
        return data
    with damage_refused():
        picture = open_picture(data, format).convert("RGBA")
        return encode(lay_on(picture, WHITE, picture.size))[1]
