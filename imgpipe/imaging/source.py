"""Open the bytes of a picture: its type by content, its header by Pillow, every fault as one error."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Literal

from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from imgpipe.errors import CorruptImage, ImgpipeError, UnsupportedType

Format = Literal["jpg", "png"]

_SIGNATURES: dict[Format, bytes] = {"jpg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n"}


def format_of(data: bytes) -> Format:
    """Tell JPEG from PNG by the first bytes; an MPO is a JPEG.

    Raises:
        UnsupportedType: it is neither.
    """
    for name, signature in _SIGNATURES.items():
        if data.startswith(signature):
            return name
    raise UnsupportedType


def open_picture(data: bytes) -> ImageFile:
    """Read the header and leave the pixels alone: the first frame, as stored.

    Raises:
        UnsupportedType: neither JPEG nor PNG; and whatever Pillow raises on a damaged header.
    """
    # Not Image.open: it would parse the other frames of an MPO, and its own pixel limit is process-wide.
    opener = JpegImageFile if format_of(data) == "jpg" else PngImageFile
    return opener(BytesIO(data))


@contextmanager
def damage_refused() -> Iterator[None]:
    """Turn whatever Pillow raises on damaged bytes into one error; ours and MemoryError pass.

    Raises:
        CorruptImage: in place of OSError, ValueError, SyntaxError, IndexError, TypeError, AssertionError…
    """
    try:
        yield
    except (ImgpipeError, MemoryError):
        raise
    except Exception as error:
        raise CorruptImage from error
