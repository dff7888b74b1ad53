"""Make LAS and DLIS files."""

import contextlib
import io
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dliswriter import enums
from dliswriter.file.file import DLISFile
from numpy.typing import NDArray


def las(columns: dict[str, Iterable[object]], null: str = "-999.25", unit: str = "M") -> bytes:
    """Write a LAS file; the first column is the index, in ``unit``."""
    names = list(columns)
    lines = [
        "~Version",
        " VERS. 2.0 : LAS",
        " WRAP. NO : one line a step",
        "~Well",
        f" NULL. {null} : null",
    ]
    lines += [
        "~Curve",
        f" {names[0]}.{unit} : index",
        *(f" {name}. : column" for name in names[1:]),
        "~ASCII",
    ]
    rows = zip(*columns.values(), strict=True)
    return "\n".join([*lines, *(" ".join(map(str, row)) for row in rows)]).encode() + b"\n"


def image_las(depths: Sequence[float], values: NDArray[Any], name: str = "AMP", **options: str) -> bytes:
    """Write a LAS file with an array channel and a gamma ray."""
    columns: dict[str, Iterable[object]] = {"DEPT": depths, "GR": range(len(depths))}
    columns |= {f"{name}[{place}]": column.tolist() for place, column in enumerate(values.T)}
    return las(columns, **options)


def dlis(
    path: Path,
    frames: dict[str, dict[str, NDArray[Any]]],
    unit: enums.Unit = enums.Unit.METER,
    index_type: enums.FrameIndexType = enums.FrameIndexType.BOREHOLE_DEPTH,
) -> Path:
    """Write a DLIS file; the first channel of a frame is its index."""
    file = DLISFile()
    logical = file.add_logical_file()
    logical.add_origin("ORIGIN", file_set_number=1)
    for name, channels in frames.items():
        added = [
            logical.add_channel(channel, data=data, units=None if place else unit)
            for place, (channel, data) in enumerate(channels.items())
        ]
        logical.add_frame(name, channels=tuple(added), index_type=index_type)
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            file.write(path, output_chunk_size=1 << 20)  # of its own accord it takes 4 GiB
    finally:
        logging.disable(logging.NOTSET)
    return path


def encrypted(file: bytes) -> bytes:
    """Set the bit for encryption at every segment that carries the rows of a frame (RP66, chapter 2)."""
    data = bytearray(file)
    place = 80  # behind the storage unit label
    while place + 4 <= len(data):
        end = place + int.from_bytes(data[place : place + 2], "big")
        place += 4  # the visible record's own header
        while place < end:
            if not data[place + 2] & 0x80:
                data[place + 2] |= 0x10
            place += int.from_bytes(data[place : place + 2], "big")
    return bytes(data)
