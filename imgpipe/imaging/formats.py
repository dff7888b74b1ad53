"""The table of the formats that pictures come in: one record says all that the service knows of each."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from io import BytesIO
from typing import BinaryIO

from PIL.AvifImagePlugin import AvifImageFile
from PIL.Image import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from imgpipe.errors import UnsupportedType
from imgpipe.imaging import boxes, jpeg, png, webp
from imgpipe.imaging.limits import JPEG_BYTES_PER_PIXEL, PNG_BYTES_PER_PIXEL, Measure

HEAD_BYTES = 64  # what a format is told by
Opener = Callable[[BinaryIO], ImageFile]


def _believe(data: bytes, picture: Image) -> None:
    """Take the decoder's word that a picture is whole."""


def _open_heic(stream: BinaryIO) -> ImageFile:
    from pi_heif import HeifImageFile

    opened: ImageFile = HeifImageFile(stream)
    return opened


def _open_png_by_vips(stream: BinaryIO) -> ImageFile:
    from imgpipe.imaging.vips import VipsPngFile

    return VipsPngFile(stream)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format: ``name`` is what the API, ``IMGPIPE_ACCEPT`` and the endings of stored files call it.

    ``begins`` judges the first 64 bytes. ``measure`` reads the header without Pillow and refuses what would
    cost too much to decode. ``open`` reads the header by Pillow, the first frame, pixels left alone; each of
    ``decoders`` does so too, for the same pixels. ``check_whole`` looks at the decoded picture for damage
    that its decoder passes over. ``suffixes`` are the endings of its files, the usual one first.
    """

    name: str
    mime: str
    suffixes: tuple[str, ...]
    begins: Callable[[bytes], bool]
    measure: Callable[[bytes], Measure]
    open: Opener
    check_whole: Callable[[bytes, Image], None] = _believe
    most_bytes_per_pixel: float = PNG_BYTES_PER_PIXEL  # beyond which fewer pixels are allowed
    scales: bool = False  # the decoder itself can give a smaller picture
    exif_follows: bool = False  # behind the pixels
    known_to_browsers: bool = True  # by its media type
    decoders: Mapping[str, Opener] = field(default_factory=dict)  # beside Pillow, by name
    needs: str = ""  # a package that is no part of the default installation

    @property
    def is_installed(self) -> bool:
        """Tell whether such files can be decoded here."""
        return not self.needs or find_spec(self.needs) is not None

    @property
    def picker(self) -> str:
        """Return what a browser's file dialog knows such files by."""
        return self.mime if self.known_to_browsers else ",".join((self.mime, *self.suffixes))


# Pillow's classes and not Image.open: it would parse the other frames of an MPO, and its own pixel limit is
# process-wide.
_TABLE = (
    Format(
        name="jpg",
        mime="image/jpeg",
        suffixes=(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),  # an MPO is a JPEG with more behind it
        begins=lambda head: head.startswith(b"\xff\xd8\xff"),
        measure=jpeg.measure,
        open=JpegImageFile,
        most_bytes_per_pixel=JPEG_BYTES_PER_PIXEL,
        scales=True,
    ),
    Format(
        name="png",
        mime="image/png",
        suffixes=(".png",),
        begins=lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"),
        measure=png.measure,
        open=PngImageFile,
        decoders={"vips": _open_png_by_vips},
        check_whole=png.check_whole,
        exif_follows=True,
    ),
    Format(
        name="webp",
        mime="image/webp",
        suffixes=(".webp",),
        begins=webp.begins,
        measure=webp.measure,
        open=WebPImageFile,
    ),
    Format(
        name="avif",
        mime="image/avif",
        suffixes=(".avif", ".avifs"),
        begins=lambda head: boxes.brand(head) == "avif",
        measure=boxes.measure,
        open=AvifImageFile,
    ),
    Format(
        name="heic",
        mime="image/heic",
        suffixes=(".heic", ".heif", ".hif"),
        begins=lambda head: boxes.brand(head) == "heic",
        measure=boxes.measure,
        open=_open_heic,
        known_to_browsers=False,
        needs="pi_heif",
    ),
)
FORMATS: Mapping[str, Format] = {format.name: format for format in _TABLE}
DEFAULT = ("jpg", "png")


def format_of(data: bytes, accepted: Collection[str] = tuple(FORMATS)) -> Format:
    """Tell the format by the first bytes, of those in ``accepted``.

    Raises:
        UnsupportedType: it is none of them; the sentence names them.
    """
    head = data[:HEAD_BYTES]
    for format in FORMATS.values():
        if format.name in accepted and format.begins(head):
            return format
    raise UnsupportedType(f"Unsupported file type. Use {choice(accepted)}.")


def choice(accepted: Collection[str]) -> str:
    """Name the formats as a person would: ``JPG or PNG``."""
    *others, last = (name.upper() for name in FORMATS if name in accepted)
    return f"{', '.join(others)} or {last}" if others else last


def open_picture(data: bytes, format: Format, decoder: str = "pillow") -> ImageFile:
    """Read the header and leave the pixels alone: the first frame, as stored.

    ``decoder`` unpacks the pixels once they are asked for, Pillow those of a format that it does not know.
    Raises whatever Pillow raises on a damaged header.
    """
    return format.decoders.get(decoder, format.open)(BytesIO(data))


def mime_types(names: Collection[str] = tuple(FORMATS)) -> dict[str, str]:
    """Map formats to their media types."""
    return {name: FORMATS[name].mime for name in names}


def suffixes(names: Collection[str] = tuple(FORMATS)) -> frozenset[str]:
    """Return the endings of the files of these formats, in lower case with their dots."""
    return frozenset(suffix for name in names for suffix in FORMATS[name].suffixes)


def read_names(raw: str) -> tuple[str, ...]:
    """Read names with commas between them, in the order of the table.

    Raises: ``ValueError`` also for one whose decoder is not installed.
    """
    named = [name.strip() for name in raw.split(",")]
    if set(named) - {name for name, format in FORMATS.items() if format.is_installed}:
        raise ValueError(raw)
    return tuple(name for name in FORMATS if name in named)
