"""Turn rows of grey pixels and a colour table into pictures: a PNG, a WebP, or one PNG a row.

PNG is assembled here from its chunks (PNG specification, third edition) for want of a library that lets us
choose: against Pillow's encoder a log's picture takes a third of the time and three quarters of the bytes,
because neighbouring depths resemble each other, and the Up filter, which Pillow leaves out where there is a
palette, tells zlib so.
"""

import io
import re
import struct
import zlib
from binascii import crc32

import numpy as np
from PIL import Image

from imgpipe.errors import InvalidParameter
from imgpipe.scanlines.rows import Grey, Mask

PNG_ROWS = 100_000
# A picture is made in memory, which takes some times its pixels: as wide as rows can be, it must stay small.
PIXELS = 20_000_000
# The format stores sides in 14 bits (WebP container specification, "VP8L").
WEBP_ROWS = 16_383
# The format has 16 bits for a side, but libjpeg, which nearly all read by, ends here (JPEG_MAX_DIMENSION).
JPEG_ROWS = 65_500
# Colours that change along a row are what a log is looked at for, so these are not halved as in photos.
JPEG_QUALITY = 90

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB, _PALETTE, _RGBA = 0, 2, 3, 6
_UP = 2
_NULL_COLOR = re.compile(r"#?([0-9A-Fa-f]{6})")

Color = tuple[int, int, int]


def parse_null_color(text: str) -> Color:
    """Read the colour of holes, ``RRGGBB``. Raises: InvalidParameter."""
    match = _NULL_COLOR.fullmatch(text)
    if match is None:
        raise InvalidParameter(
            "null_color: expected a colour as RRGGBB, such as ff00ff", details={"parameter": "null_color"}
        )
    red, green, blue = bytes.fromhex(match[1])
    return red, green, blue


def png(pixels: Grey, lut: Grey, holes: Mask | None = None, null_color: Color | None = None) -> bytes:
    """Encode rows, uint8 (n, w), as a palette PNG of the colours ``lut``, uint8 (256, 3); grey stays grey.

    Holes, bool (n, w), are transparent or have ``null_color``; where every one of the 256 values occurs
    beside them, that takes true colour. Raises: InvalidParameter above 100,000 rows.
    """
    check_rows(len(pixels), PNG_ROWS, "PNG")
    if holes is not None and holes.any():
        return _png_around(pixels, lut, holes, null_color)
    if _is_identity(lut):
        return _assemble(pixels, _GREY)
    return _assemble(pixels, _PALETTE, _chunk(b"PLTE", lut.tobytes()))


def _png_around(pixels: Grey, lut: Grey, holes: Mask, null_color: Color | None) -> bytes:
    used = np.bincount(pixels[~holes], minlength=256) > 0
    if used.all():
        colours = _paint(pixels, lut, holes, null_color)
        return _assemble(colours, _RGBA if null_color is None else _RGB)
    free = int(np.argmin(used))
    palette = lut.copy()
    palette[free] = null_color or (0, 0, 0)
    extra = _chunk(b"PLTE", palette.tobytes())
    if null_color is None:
        extra += _chunk(b"tRNS", b"\xff" * free + b"\0")
    return _assemble(np.where(holes, np.uint8(free), pixels), _PALETTE, extra)


def webp(pixels: Grey, lut: Grey, holes: Mask | None = None, null_color: Color | None = None) -> bytes:
    """Encode rows, uint8 (n, w), as a lossless WebP, so that every pixel is a colour of ``lut``.

    Holes, bool (n, w), are transparent or have ``null_color``. Raises: InvalidParameter above 16,383 rows.
    """
    check_rows(len(pixels), WEBP_ROWS, "WebP")
    target = io.BytesIO()
    # The fastest lossless setting: higher ones take up to seven times as long for a tenth of the bytes.
    picture = Image.fromarray(_paint(pixels, lut, holes, null_color))
    picture.save(target, "WEBP", lossless=True, method=0, quality=0)
    return target.getvalue()


def jpeg(pixels: Grey, lut: Grey, holes: Mask | None = None, null_color: Color | None = None) -> bytes:
    """Encode rows, uint8 (n, w), as a JPEG; holes, bool (n, w), are black unless there is a ``null_color``.

    Raises: InvalidParameter above 65,500 rows.
    """
    check_rows(len(pixels), JPEG_ROWS, "JPEG")
    target = io.BytesIO()
    picture = Image.fromarray(_paint(pixels, lut, holes, null_color or (0, 0, 0)))
    picture.save(target, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return target.getvalue()


def mask(pixels: Grey, holes: Mask | None) -> Grey:
    """Return the plane that goes with raw pixels, uint8 (n, w): 255 for a value and 0 for a hole."""
    plane = np.full(pixels.shape, 255, np.uint8)
    if holes is not None:
        plane[holes] = 0
    return plane


def _paint(pixels: Grey, lut: Grey, holes: Mask | None, null_color: Color | None) -> Grey:
    """Return colours, uint8 (n, w, 3), or (n, w, 4) where holes are to be transparent."""
    if holes is None or not holes.any():
        return np.asarray(lut[pixels])
    if null_color is None:
        lut = np.concatenate([lut, np.full((256, 1), 255, np.uint8)], axis=1)
    colours: Grey = lut[pixels]
    colours[holes] = null_color or (0, 0, 0, 0)
    return colours


def row_pngs(
    pixels: Grey, lut: Grey, holes: Mask | None = None, null_color: Color | None = None
) -> list[bytes]:
    """Encode each row, uint8 (n, w), w up to 16,000, as a PNG of its own, w x 1 px, true colour or grey.

    Nothing is compressed: deflate would cost more time than so few pixels are worth, and up to 256 of them
    are smaller in true colour than with a palette of 768 bytes. Rows without holes are as if no row had any.
    """
    grey = _is_identity(lut)
    rows = pixels if grey else lut[pixels]
    pictures = _encode_rows(rows.reshape(len(pixels), -1), pixels.shape[1], _GREY if grey else _RGB)
    broken = np.flatnonzero([] if holes is None else holes.any(axis=1))
    if holes is not None and len(broken):
        painted = _paint(pixels[broken], lut, holes[broken], null_color).reshape(len(broken), -1)
        others = _encode_rows(painted, pixels.shape[1], _RGBA if null_color is None else _RGB)
        for place, picture in zip(broken.tolist(), others, strict=True):
            pictures[place] = picture
    return pictures


def _encode_rows(rows: Grey, width: int, colour: int) -> list[bytes]:
    size = rows.shape[1] + 1  # the filter byte
    start = b"IDAT\x78\x01\x01" + struct.pack("<HH", size, size ^ 0xFFFF) + b"\0"
    # zlib adds 11 bytes to a stored row
    head = _SIGNATURE + _header(width, 1, colour) + struct.pack(">I", size + 11) + start
    end = _chunk(b"IEND", b"")
    begun_adler, begun_crc = zlib.adler32(b"\0"), crc32(start)
    pictures = []
    for row in map(bytes, rows):
        body = row + zlib.adler32(row, begun_adler).to_bytes(4, "big")
        pictures.append(head + body + crc32(body, begun_crc).to_bytes(4, "big") + end)
    return pictures


def check_rows(rows: int, limit: int, kind: str) -> None:
    """Let a picture through that is not too tall. Raises: InvalidParameter that names ``max_rows``."""
    if rows > limit:
        raise InvalidParameter(
            f"A {kind} has at most {limit:,} rows here; ask for fewer with max_rows.",
            details={"parameter": "max_rows", "rows": rows, "limit": limit},
        )


def check_pixels(rows: int, width: int) -> None:
    """Let a picture through that is not too large. Raises: InvalidParameter that names ``max_rows``."""
    if rows * width > PIXELS:
        raise InvalidParameter(
            f"A picture has at most {PIXELS:,} pixels here; ask for fewer rows with max_rows.",
            details={"parameter": "max_rows", "rows": rows, "limit": PIXELS // width},
        )


def _is_identity(lut: Grey) -> bool:
    return bool((lut == np.arange(256)[:, None]).all())


def _assemble(pixels: Grey, colour: int, extra: bytes = b"") -> bytes:
    """Put a PNG together from pixels of one byte, (n, w), or of several, (n, w, bytes)."""
    header = _header(pixels.shape[1], len(pixels), colour)
    data = _chunk(b"IDAT", _compress(pixels.reshape(len(pixels), -1)))
    return _SIGNATURE + header + extra + data + _chunk(b"IEND", b"")


def _compress(pixels: Grey) -> bytes:
    """Filter each row with Up, the difference to the row above, and deflate."""
    filtered = np.empty((len(pixels), pixels.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[:, 1:] = pixels
    filtered[1:, 1:] -= pixels[:-1]
    # After the filter only runs are worth looking for: an eighth of the time for 2 % more bytes.
    deflate = zlib.compressobj(strategy=zlib.Z_RLE)
    return deflate.compress(filtered.data) + deflate.flush()


def _header(width: int, height: int, colour: int) -> bytes:
    return _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))
