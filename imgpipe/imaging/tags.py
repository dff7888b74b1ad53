"""Turn one EXIF value, as Pillow gives it, into a plain value: text, number or list of them.

Cameras write NUL inside and behind texts, x/0, UTF-8 where ASCII is meant, UTF-16 in bytes, and bytes
whose meaning only their maker knows.
"""

import json
import math
import re
from typing import Any

from PIL.TiffImagePlugin import IFDRational

from imgpipe.text import clean_text

VALUE_LIMIT_BYTES = 1024

# EXIF 2.32, 4.6.5: the first eight bytes of these name the encoding of the rest.
_PREFIXED = frozenset({"UserComment", "GPSProcessingMethod", "GPSAreaInformation"})
_ENCODINGS = {b"ASCII": "ascii", b"UNICODE": "utf-16", b"JIS": "iso2022_jp", b"": "utf-8"}
# Bytes that are small numbers, not text.
_NUMBERS = frozenset({"ComponentsConfiguration", "FileSource", "SceneType", "GPSVersionID", "GPSAltitudeRef"})
_PRINTABLE = re.compile(rb"[\x20-\x7e]+\x00*")


def plain_value(name: str, value: Any) -> Any:
    """Return text of at most 1 KB, a finite number, a list of those and None, or None for what is neither.

    Unknown bytes, blank texts, NaN and infinity become None, and so does a list of over 1 KB as JSON.
    Raises whatever a broken value leads to; the caller drops the tag.
    """
    if isinstance(value, bytes):
        value = _read_bytes(name, value)
    elif isinstance(value, str):
        value = _repair(value)
    if isinstance(value, str):
        return _tidy(value)
    if isinstance(value, tuple | list):
        return _plain_list(name, value)
    return _finite(value)


def _read_bytes(name: str, value: bytes) -> str | list[int] | int | None:
    if name in _PREFIXED:
        return _read_prefixed(value)
    if name.startswith("XP"):
        return value.decode("utf-16-le", "ignore")
    if name in _NUMBERS:
        return value[0] if len(value) == 1 else list(value)
    return value.decode("ascii") if _PRINTABLE.fullmatch(value) else None


def _read_prefixed(value: bytes) -> str:
    encoding = _ENCODINGS.get(value[:8].strip(b"\0 "))
    if encoding is None:
        return value.decode("utf-8")
    # Without a byte order mark a first zero byte tells the order, as most text is Latin.
    order = "-be" if encoding == "utf-16" and value[8:9] == b"\0" else ""
    return value[8:].decode(encoding + order, "ignore")


def _repair(value: str) -> str:
    """Read UTF-8 that Pillow has read as Latin-1, as EXIF knows only ASCII."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def _tidy(value: str) -> str | None:
    # A NUL ends a text, or parts two of them (Copyright: photographer, editor).
    text = clean_text(value.replace("\0", " ")).strip()
    return text.encode()[:VALUE_LIMIT_BYTES].decode(errors="ignore") or None


def _plain_list(name: str, values: tuple[Any, ...] | list[Any]) -> list[Any] | None:
    # Sliced first: a number takes at least two bytes, and a hostile tag may hold half a million.
    plain = [plain_value(name, item) for item in values[:VALUE_LIMIT_BYTES]]
    return plain if len(json.dumps(plain)) <= VALUE_LIMIT_BYTES else None


def _finite(value: Any) -> int | float | None:
    if isinstance(value, IFDRational):
        value = float(value)
    return value if isinstance(value, int | float) and math.isfinite(value) else None
