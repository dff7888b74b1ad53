"""Make pictures, honest and odd ones, as bytes."""

import struct
import zlib
from io import BytesIO
from typing import Any

from PIL import Image, ImageCms
from PIL.ExifTags import IFD

from imgpipe.imaging.pipeline import run
from imgpipe.imaging.work import Derivative

RED, GREEN, BLUE, BLACK, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0), (255, 255, 255)
Pixel = tuple[int, ...]


def plain(mode: str = "RGB", size: tuple[int, int] = (40, 30), color: Any = RED) -> Image.Image:
    """Fill a picture with one colour."""
    return Image.new(mode, size, color)


def quarters(size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Paint the corners red, green, blue, white: upper left, upper right, lower left, lower right."""
    picture = Image.new("RGB", (2, 2))
    for x, y, color in ((0, 0, RED), (1, 0, GREEN), (0, 1, BLUE), (1, 1, WHITE)):
        picture.putpixel((x, y), color)
    return picture.resize(size, Image.Resampling.NEAREST)


def noise(size: tuple[int, int]) -> Image.Image:
    """Make a grey picture that compresses badly."""
    return Image.effect_noise(size, 90)


def jpeg(picture: Image.Image, **options: Any) -> bytes:
    """Encode as JPEG, sharp in colour unless told otherwise."""
    out = BytesIO()
    picture.save(out, "JPEG", **{"quality": 95, "subsampling": 0, **options})
    return out.getvalue()


def mpo(first: Image.Image, second: Image.Image) -> bytes:
    """Encode two frames as stereo cameras and phones do."""
    out = BytesIO()
    first.save(out, "MPO", save_all=True, append_images=[second])
    return out.getvalue()


def png(picture: Image.Image, **options: Any) -> bytes:
    """Encode as PNG."""
    out = BytesIO()
    picture.save(out, "PNG", **options)
    return out.getvalue()


def with_exif(tags: dict[int, Any], **directories: dict[int, Any]) -> bytes:
    """Write a JPEG with tags in the 0th IFD and in those named, ``Exif`` and ``GPSInfo``."""
    exif = Image.Exif()
    exif.update(tags)
    for name, values in directories.items():
        exif.get_ifd(IFD[name]).update(values)
    return jpeg(plain(), exif=exif)


def with_raw_exif(entries: list[tuple[int, int, int, bytes]]) -> bytes:
    """Write a JPEG whose 0th IFD holds (tag, type, count, bytes) just so, big-endian, right or wrong."""
    position = 8 + 2 + 12 * len(entries) + 4
    table, bodies = b"", b""
    for tag, kind, count, body in entries:
        place = body.ljust(4, b"\0") if len(body) <= 4 else struct.pack(">L", position + len(bodies))
        bodies += body if len(body) > 4 else b""
        table += struct.pack(">HHL", tag, kind, count) + place
    tiff = b"MM\0*\0\0\0\x08" + struct.pack(">H", len(entries)) + table + bytes(4) + bodies
    return jpeg(plain(), exif=b"Exif\0\0" + tiff)


def with_segments(data: bytes, *segments: bytes) -> bytes:
    """Put raw segments behind the start of a JPEG."""
    return data[:2] + b"".join(segments) + data[2:]


def with_scans(count: int) -> bytes:
    """Repeat the last scan of a small progressive JPEG until it has ``count``."""
    data = jpeg(plain("L", color=90), progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * (count - data.count(b"\xff\xda") + 1) + b"\xff\xd9"


def progressive(
    width: int,
    height: int,
    scans: int,
    *,
    components: int = 1,
    together: bool = False,
    arithmetic: bool = False,
) -> bytes:
    """Write a progressive JPEG of a flat colour; of its scans all but the first refine nothing.

    They refine all components ``together``, their mean, or else the details of one each in turn.
    """
    ids = range(1, components + 1)
    blocks = -(-width // 8) * -(-height // 8)
    # Tables of one code, a single bit: no change for the mean, a run of 32,767 empty blocks for details.
    tables = _segment(0xC4, bytes([0, 1, *bytes(15), 0, 0x10, 1, *bytes(15), 0xE0]))
    means, runs = bytes(blocks * components // 8 + 1), _bits("0" + "1" * 14, -(-blocks // 32_767))
    if arithmetic:
        tables, means, runs = b"", b"\0\0", b"\x55" * 20
    frame = struct.pack(">BHHB", 8, height, width, components) + b"".join(bytes([id, 0x11, 0]) for id in ids)
    data = b"\xff\xd8" + _segment(0xDB, b"\0" + b"\1" * 64)
    data += _segment(0xCA if arithmetic else 0xC2, frame) + tables
    every = bytes([components]) + b"".join(bytes([id, 0]) for id in ids)
    data += _segment(0xDA, every + bytes([0, 0, 1])) + means
    for number in range(scans - 1):
        if together:
            data += _segment(0xDA, every + bytes([0, 0, 0x10])) + means
        else:
            data += _segment(0xDA, bytes([1, number % components + 1, 0, 1, 63, 0x10])) + runs
    return data + b"\xff\xd9"


def _segment(code: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, code, len(body) + 2) + body


def _bits(pattern: str, count: int) -> bytes:
    """Pack a pattern of bits ``count`` times, filled up with ones, a zero behind every 0xFF."""
    text = pattern * count
    text += "1" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    """Frame a PNG chunk with length and checksum."""
    return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))


def unfinished_png(
    size: tuple[int, int], rows: int, *, color: int = 2, depth: int = 8, interlaced: int = 0
) -> bytes:
    """Write a PNG whose deflate stream is whole and ends after so many white rows of its full width."""
    bits = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color] * depth
    row = b"\0" + b"\xff" * -(-size[0] * bits // 8)
    header = struct.pack(">LLBBBBB", *size, depth, color, 0, 0, interlaced)
    palette = chunk(b"PLTE", bytes(255 * 3) + b"\xff" * 3) if color == 3 else b""
    body = chunk(b"IDAT", zlib.compress(row * rows)) + chunk(b"IEND")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + palette + body


def with_chunks(data: bytes, *chunks: bytes) -> bytes:
    """Put chunks between the header and the rest of a PNG."""
    return data[:33] + b"".join(chunks) + data[33:]


def claiming(width: int, height: int, kind: str) -> bytes:
    """Write a tiny file whose header claims a size it does not have."""
    if kind == "png":
        header = struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0)
        return (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", header)
            + chunk(b"IDAT", zlib.compress(b""))
            + chunk(b"IEND")
        )
    data = jpeg(plain())
    frame = data.index(b"\xff\xc0") + 5
    return data[:frame] + struct.pack(">HH", height, width) + data[frame + 4 :]


def swapped_channels_profile() -> bytes:
    """Build an RGB profile whose red is sRGB's green and the other way round."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"?XYZ").replace(b"gXYZ", b"rXYZ").replace(b"?XYZ", b"gXYZ")


def derived(data: bytes, name: str) -> Derivative:
    """Run the pipeline and pick one result."""
    (found,) = (item for item in run(data).derivatives if item.name == name)
    return found


def pixels(data: bytes, name: str) -> Image.Image:
    """Run the pipeline and decode one result."""
    picture = Image.open(BytesIO(derived(data, name).data))
    picture.load()
    return picture


def is_near(pixel: Any, color: Pixel, tolerance: int = 6) -> bool:
    """Compare two colours as JPEG allows."""
    return all(abs(one - other) <= tolerance for one, other in zip(pixel, color, strict=True))
