"""Turn finished pixels into JPEG or PNG bytes that carry nothing but pixels."""

from io import BytesIO

from PIL.Image import Image

from imgpipe.imaging.color import WHITE, lay_on
from imgpipe.imaging.source import Format, damage_refused, format_of, open_picture

# The measured knee on a 512 px photo: optimising saves 2 % for 2.2 times the time, progressive 4 % for 5.
JPEG_QUALITY = 85
# zlib's level 6 takes a 512 px photo 2.4 times the time of this for 8 % fewer bytes.
PNG_LEVEL = 2


def encode(picture: Image) -> tuple[Format, bytes]:
    """Encode RGB as JPEG (quality 85, 4:2:0) and RGBA as PNG, without EXIF, comment or profile."""
    out = BytesIO()
    if picture.mode == "RGBA":
        picture.save(out, "PNG", compress_level=PNG_LEVEL)
        return "png", out.getvalue()
    picture.save(out, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:0")
    return "jpg", out.getvalue()


def jpeg_on_white(data: bytes) -> bytes:
    """Give a medium, JPEG or PNG, as JPEG: a PNG is laid on white, a JPEG returned as it is.

    Raises:
        UnsupportedType, CorruptImage: it is not one of ours.
    """
    if format_of(data) == "jpg":
        return data
    with damage_refused():
        picture = open_picture(data).convert("RGBA")
        return encode(lay_on(picture, WHITE, picture.size))[1]
