"""Describe a picture: its upright size and its EXIF, fit for strict JSON and for both databases."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypedDict

from PIL.ExifTags import GPSTAGS, IFD, TAGS, Base
from PIL.Image import Exif, Image

from imgpipe.imaging.geometry import upright_size
from imgpipe.imaging.limits import MAX_EXIF_BYTES
from imgpipe.imaging.tags import plain_value

EXIF_LIMIT_BYTES = 32 * 1024

# Where an IFD lies in the file: nothing that anyone outside could use.
_POINTERS = frozenset({IFD.Exif, IFD.GPSInfo, IFD.Interop})
_DATES = ("DateTimeOriginal", "DateTimeDigitized", "DateTime")
# EXIF 2.32 says "2004:07:13 21:23:44"; some programs write ISO 8601. A zone or fraction behind it is ignored.
_DATE = re.compile(r"([0-9]{4})[:/.-]([0-9]{2})[:/.-]([0-9]{2})[ T]([0-9]{2}):([0-9]{2}):([0-9]{2})")


class Metadata(TypedDict):
    """What the service tells about a picture; ``width`` and ``height`` in px of the upright picture."""

    width: int
    height: int
    format: str
    size_bytes: int
    mode: str
    orientation: int
    datetime: str | None
    exif: dict[str, Any]


def describe_picture(picture: Image, kind: str, size_bytes: int) -> Metadata:
    """Read everything that later conversions lose.

    ``exif`` maps Pillow's tag names to plain values, tags of the 0th, the Exif and the GPS IFD side by side
    (GPS ones all begin with ``GPS``): 1 KB a value, 32 KB in all. A tag that cannot be read is left out;
    trouble with metadata never raises.
    """
    directory = _read_exif(picture)
    exif = _flatten(directory)
    orientation = _orientation(directory)
    width, height = upright_size(picture.size, orientation)
    return Metadata(
        width=width,
        height=height,
        format=kind,
        size_bytes=size_bytes,
        mode=picture.mode,
        orientation=orientation,
        datetime=_taken_at(exif),
        exif=exif,
    )


def _read_exif(picture: Image) -> Exif:
    if len(picture.info.get("exif") or b"") > MAX_EXIF_BYTES:
        return Exif()
    try:
        return picture.getexif()
    except Exception:
        return Exif()


def _orientation(directory: Exif) -> int:
    try:
        value = directory.get(Base.Orientation)
    except Exception:
        return 1
    return value if isinstance(value, int) and value in range(1, 9) else 1


def _flatten(directory: Exif) -> dict[str, Any]:
    """Collect tags until 32 KB of JSON are full, one that does not fit being left out."""
    flat: dict[str, Any] = {}
    room = EXIF_LIMIT_BYTES
    for name, value in _named_values(directory):
        cost = len(json.dumps({name: value}))
        if name not in flat and cost <= room:
            flat[name] = value
            room -= cost
    return flat


def _named_values(directory: Exif) -> Iterator[tuple[str, Any]]:
    # The Exif IFD comes first: where a tag stands in both, the camera wrote this one, editors the other.
    for values, names in (
        (_sub_directory(directory, IFD.Exif), TAGS),
        (directory, TAGS),
        (_sub_directory(directory, IFD.GPSInfo), GPSTAGS),
    ):
        for tag in values:
            if tag in names and tag not in _POINTERS:
                value = _read_tag(values, tag, names[tag])
                if value is not None:
                    yield names[tag], value


def _sub_directory(directory: Exif, ifd: IFD) -> Mapping[int, Any]:
    try:
        return directory.get_ifd(ifd)
    except Exception:
        return {}


def _read_tag(values: Mapping[int, Any] | Exif, tag: int, name: str) -> Any:
    try:
        return plain_value(name, values[tag])
    except Exception:
        return None


def _taken_at(exif: Mapping[str, Any]) -> str | None:
    for name in _DATES:
        if found := _DATE.match(str(exif.get(name, ""))):
            try:
                return datetime.fromisoformat("{}-{}-{}T{}:{}:{}".format(*found.groups())).isoformat()
            except ValueError:
                continue
    return None
