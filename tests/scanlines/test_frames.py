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


# Holes

NULLS = pytest.mark.parametrize("null_color", [None, (255, 0, 255)], ids=["transparent", "magenta"])


def with_holes(rows: int, width: int, every: bool) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return rows with holes; with ``every``, all 256 values occur beside them."""
    pixels = make_image(rows, width)
    if every:
        pixels.flat[:256] = np.arange(256)
    holes = np.random.default_rng(2).random((rows, width)) < 0.3
    holes.flat[:256] = False
    return pixels, holes


def painted(
    pixels: NDArray[np.uint8],
    table: NDArray[np.uint8],
    holes: NDArray[np.bool_],
    null_color: tuple[int, int, int] | None,
) -> list[list[tuple[int, ...]]]:
    """Return every pixel's colour, (0, 0, 0, 0) where it is transparent."""
    hole = (0, 0, 0, 0) if null_color is None else (*null_color, 255)
    return [
        [hole if gap else (*table[value].tolist(), 255) for value, gap in zip(line, gaps, strict=True)]
        for line, gaps in zip(pixels.tolist(), holes.tolist(), strict=True)
    ]


def seen(picture: bytes) -> list[list[tuple[int, ...]]]:
    """Return every pixel's colour, whatever a transparent one has beneath."""
    with Image.open(io.BytesIO(picture)) as image:
        pixels = np.asarray(image.convert("RGBA")).copy()
    pixels[pixels[..., 3] == 0] = 0
    return [[tuple(pixel) for pixel in line] for line in pixels.tolist()]


@TABLES
@NULLS
@pytest.mark.parametrize("every", [False, True], ids=["with a free value", "every value"])
def test_holes_are_drawn_as_asked_and_nothing_else_changes(
    table: NDArray[np.uint8], null_color: tuple[int, int, int] | None, every: bool
) -> None:
    pixels, holes = with_holes(8, 60, every)
    expected = painted(pixels, table, holes, null_color)
    assert seen(frames.png(pixels, table, holes, null_color)) == expected
    assert seen(frames.webp(pixels, table, holes, null_color)) == expected
    rows = frames.row_pngs(pixels, table, holes, null_color)
    assert [seen(row)[0] for row in rows] == expected
    for row in rows:
        kinds = [kind for kind, _ in split_strictly(row)]
        assert kinds == [b"IHDR", b"IDAT", b"IEND"]


@TABLES
def test_a_picture_without_holes_is_the_same_byte_for_byte(table: NDArray[np.uint8]) -> None:
    pixels, holes = with_holes(8, 60, True)
    none = np.zeros_like(holes)
    for draw in (frames.png, frames.webp, frames.row_pngs):
        assert draw(pixels, table, none, (1, 2, 3)) == draw(pixels, table)
    mixed = frames.row_pngs(pixels, table, holes)
    whole = [place for place, gaps in enumerate(holes) if not gaps.any()]
    assert [mixed[place] for place in whole] == [frames.row_pngs(pixels, table)[place] for place in whole]


def test_holes_keep_a_palette_where_one_value_is_free() -> None:
    pixels, holes = with_holes(8, 60, False)
    kinds = [kind for kind, _ in split_strictly(frames.png(pixels, COLOUR, holes))]
    assert kinds == [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"]
    kinds = [kind for kind, _ in split_strictly(frames.png(pixels, COLOUR, holes, (1, 2, 3)))]
    assert kinds == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]


def test_a_row_of_holes_only_is_drawn() -> None:
    holes = np.ones((1, 9), bool)
    assert seen(frames.png(np.zeros((1, 9), np.uint8), COLOUR, holes)) == [[(0, 0, 0, 0)] * 9]


@pytest.mark.parametrize(("null_color", "hole"), [(None, (0, 0, 0)), ((255, 0, 255), (255, 0, 255))])
def test_a_jpeg_is_near_the_colours_and_its_holes_are_black_or_as_asked(
    null_color: tuple[int, int, int] | None, hole: tuple[int, int, int]
) -> None:
    pixels, holes = make_image(48, 96), np.zeros((48, 96), bool)
    holes[16:32, 32:64] = True
    picture = frames.jpeg(pixels, COLOUR, holes, null_color)
    with Image.open(io.BytesIO(picture)) as image:
        assert image.format == "JPEG"
    got = decode(picture).astype(int)
    assert np.abs(got[20:28, 36:60] - np.array(hole)).max() < 12
    assert np.abs(got - COLOUR[pixels])[~holes].mean() < 8


def test_a_jpeg_is_as_tall_as_programs_can_read() -> None:
    assert decode(frames.jpeg(np.zeros((65_500, 1), np.uint8), GREY)).shape == (65_500, 1, 3)
    with pytest.raises(InvalidParameter, match="max_rows"):
        frames.jpeg(np.zeros((65_501, 1), np.uint8), GREY)


def test_the_mask_beside_raw_pixels_is_255_for_values() -> None:
    pixels = np.zeros((2, 2), np.uint8)
    assert frames.mask(pixels, np.array([[True, False], [False, False]])).tolist() == [[0, 255], [255, 255]]
    assert frames.mask(pixels, None).tolist() == [[255, 255], [255, 255]]


@pytest.mark.parametrize("text", ["ff00ff", "#FF00FF"])
def test_the_colour_of_holes_is_read(text: str) -> None:
    assert frames.parse_null_color(text) == (255, 0, 255)


@pytest.mark.parametrize("text", ["", "fff", "red", "ff00f", "ff00ff00", "٣f00ff"])
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="null_color"):
        frames.parse_null_color(text)
