"""The JPEG that captioners get."""

from io import BytesIO

import pytest
from PIL import Image

from imgpipe.errors import CorruptImage, UnsupportedType
from imgpipe.imaging.encoding import jpeg_on_white
from tests.imaging.pictures import RED, WHITE, derived, is_near, jpeg, plain, png


def test_a_jpeg_is_returned_as_it_is() -> None:
    data = jpeg(plain())
    assert jpeg_on_white(data) is data


def test_a_transparent_png_becomes_a_jpeg_on_white() -> None:
    picture = plain("RGBA", color=(*RED, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 20, 30))
    flat = Image.open(BytesIO(jpeg_on_white(derived(png(picture), "medium").data)))
    assert flat.format == "JPEG"
    assert is_near(flat.getpixel((4, 15)), WHITE)
    assert is_near(flat.getpixel((35, 15)), RED)


def test_an_opaque_png_becomes_a_jpeg() -> None:
    flat = Image.open(BytesIO(jpeg_on_white(png(plain()))))
    assert is_near(flat.getpixel((5, 5)), RED)


def test_a_cut_png_is_corrupt() -> None:
    with pytest.raises(CorruptImage):
        jpeg_on_white(png(plain())[:60])


def test_other_bytes_are_an_unsupported_type() -> None:
    with pytest.raises(UnsupportedType):
        jpeg_on_white(b"text")
