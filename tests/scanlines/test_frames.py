import io
import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imgpipe.errors import InvalidParameter
from imgpipe.scanlines import frames
from imgpipe.scanlines.colormap import lut
from tests.scanlines.logs import make_image

GREY, COLOUR = lut("gray"), lut()
TABLES = pytest.mark.parametrize("table", [GREY, COLOUR, GREY[::-1]], ids=["gray", "colour", "reversed"])


def decode(picture: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(picture)) as image:
        return np.asarray(image.convert("RGB"))


def split_strictly(picture: bytes) -> list[tuple[bytes, bytes]]:
    """Take a PNG apart by the letter of its specification, checksums included."""
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, place = [], 8
    while place < len(picture):
        (size,) = struct.unpack_from(">I", picture, place)
        kind, data = picture[place + 4 : place + 8], picture[place + 8 : place + 8 + size]
        assert struct.unpack_from(">I", picture, place + 8 + size) == (zlib.crc32(kind + data),)
        chunks.append((kind, data))
        place += size + 12
    assert place == len(picture)
    return chunks


def check_strictly(picture: bytes, width: int, height: int) -> None:
    chunks = split_strictly(picture)
    kinds = [kind for kind, _ in chunks]
    columns, rows, depth, colour, *methods = struct.unpack(">IIBBBBB", chunks[0][1])
    assert kinds == [b"IHDR", *[b"PLTE"] * (colour == 3), b"IDAT", b"IEND"]
    assert (columns, rows, depth, methods) == (width, height, 8, [0, 0, 0])
    inflate = zlib.decompressobj()
    raw = inflate.decompress(chunks[-2][1])
    assert inflate.eof
    assert not inflate.unused_data
    assert len(raw) == height * (1 + width * (3 if colour == 2 else 1))


@TABLES
@pytest.mark.parametrize(("rows", "width"), [(1, 1), (1, 150), (7, 3), (300, 150), (2, 10_000)])
def test_a_png_has_the_tables_colour_at_every_pixel(table: NDArray[np.uint8], rows: int, width: int) -> None:
    pixels = make_image(rows, width)
    picture = frames.png(pixels, table)
    check_strictly(picture, width, rows)
    assert np.array_equal(decode(picture), table[pixels])


@TABLES
@pytest.mark.parametrize("width", [1, 150, 257, 10_000])
def test_every_row_is_a_png_of_its_own(table: NDArray[np.uint8], width: int) -> None:
    pixels = make_image(4, width)
    pictures = frames.row_pngs(pixels, table)
    for picture, row in zip(pictures, pixels, strict=True):
        check_strictly(picture, width, 1)
        assert np.array_equal(decode(picture), table[row][None])


@TABLES
def test_a_webp_loses_nothing(table: NDArray[np.uint8]) -> None:
    pixels = make_image(40, 150)
    assert np.array_equal(decode(frames.webp(pixels, table)), table[pixels])


def test_a_gray_png_is_a_gray_picture() -> None:
    with Image.open(io.BytesIO(frames.png(make_image(5, 150), GREY))) as image:
        assert image.mode == "L"


def test_a_coloured_png_is_a_palette_picture() -> None:
    with Image.open(io.BytesIO(frames.png(make_image(5, 150), COLOUR))) as image:
        assert image.mode == "P"


def test_rows_that_are_a_view_of_a_larger_array_are_encoded_like_a_copy() -> None:
    view = make_image(20, 300)[::2, ::2]
    assert frames.png(view, COLOUR) == frames.png(view.copy(), COLOUR)
    assert frames.row_pngs(view, GREY) == frames.row_pngs(view.copy(), GREY)


def test_a_tall_picture_names_max_rows() -> None:
    with pytest.raises(InvalidParameter, match="max_rows"):
        frames.webp(np.zeros((16_384, 1), np.uint8), GREY)
    with pytest.raises(InvalidParameter, match="max_rows"):
        frames.png(np.zeros((100_001, 1), np.uint8), GREY)


def test_the_tallest_pictures_are_made() -> None:
    assert decode(frames.webp(np.zeros((16_383, 1), np.uint8), GREY)).shape == (16_383, 1, 3)
    assert decode(frames.png(np.zeros((100_000, 1), np.uint8), COLOUR)).shape == (100_000, 1, 3)
