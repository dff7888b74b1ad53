"""Read a chunk of a depth log as arrays of bytes: fast, and silent where it is not certain.

NumPy works through whole chunks here at the speed of the processor's cache. ``cells`` says what is right;
this module proves that a chunk is written in the plainest way (digits, commas, line ends) or leaves it to
``cells``.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgpipe.scanlines.cells import LINE_BYTES, Block

_COMMA, _NEWLINE, _POINT, _ZERO = b",\n.0"
_DEPTH_BYTES = b"0123456789+-.eE"
# Stands before the first cell, so that every byte has four to its left.
_MARGIN = b",,,,"
_INVALID = 256


class Table(NamedTuple):
    """Plain lines: ``chunk`` without CR and blanks, and where each cell ends in it, (rows, cells a row).

    ``raw`` are the bytes behind a margin of four commas, and ``is_end`` tells which of them end a cell.
    """

    chunk: bytes
    raw: NDArray[np.uint8]
    is_end: NDArray[np.bool_]
    ends: NDArray[np.intp]


def parse(chunk: bytes, source_width: int) -> Block | None:
    """Read whole lines of one depth and ``source_width`` pixels; None when any is not plainly right."""
    table = lay_out(chunk, source_width)
    if table is None:
        return None
    depths = parse_depths(table)
    pixels = _parse_pixels(table.raw, table.is_end, table.ends)
    return None if depths is None or pixels is None else Block(depths, pixels)


def lay_out(chunk: bytes, source_width: int) -> Table | None:
    """Find the cells of whole lines; None when these do not have one depth and ``source_width`` more."""
    if len(chunk) > LINE_BYTES:
        return None
    if b"\r" in chunk:
        chunk = chunk.replace(b"\r\n", b"\n")
    if b" " in chunk:
        chunk = chunk.replace(b", ", b",")
    raw = np.frombuffer(_MARGIN + chunk, np.uint8)
    is_newline = raw == _NEWLINE
    is_end = is_newline | (raw == _COMMA)
    ends = np.flatnonzero(is_end[4:])
    rows, left_over = divmod(len(ends), source_width + 1)
    line_ends = ends[source_width :: source_width + 1]
    # With a line end in each of these places, and so many in all, there is none elsewhere.
    if left_over or np.count_nonzero(is_newline) != rows or not is_newline[4:].take(line_ends).all():
        return None
    return Table(chunk, raw, is_end, ends.reshape(rows, -1))


def parse_depths(table: Table) -> NDArray[np.float64] | None:
    """Read the first cell of each line; None when one is not plainly a finite decimal number."""
    starts = [0, *(table.ends[:-1, -1] + 1).tolist()]
    ends = table.ends[:, 0].tolist()
    texts = [table.chunk[start:end] for start, end in zip(starts, ends, strict=True)]
    # Of these bytes float() reads nothing but decimal numbers: no nan, no inf, no 1_000.
    if b"".join(texts).translate(None, _DEPTH_BYTES):
        return None
    try:
        depths = np.array(list(map(float, texts))) + 0.0  # -0.0 becomes 0.0
    except ValueError:
        return None
    return depths if np.isfinite(depths).all() else None


def _parse_pixels(
    raw: NDArray[np.uint8], is_end: NDArray[np.bool_], ends: NDArray[np.intp]
) -> NDArray[np.uint8] | None:
    """Look up what stands before each end but a line's first; once more without ``.0`` if need be."""
    values = _evaluate(raw, is_end)
    pixels = values.take(ends)[:, 1:]
    if pixels.max() >= _INVALID:
        is_point_zero = (raw[2:-2] == _POINT) & (raw[3:-1] == _ZERO)
        pixels = values.take(ends - 2 * is_point_zero.take(ends))[:, 1:]
    return pixels.astype(np.uint8) if pixels.max() < _INVALID else None


def _evaluate(raw: NDArray[np.uint8], is_end: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Tell for each byte after the margin which pixel ends before it: 0 to 255, or more if none does.

    A pixel is one to three digits with an end before them.
    """
    digits = raw - np.uint8(_ZERO)
    is_digit = digits < 10
    digits *= is_digit.view(np.uint8)
    ones, tens, hundreds = (is_digit[3:-1], is_digit[2:-2], is_digit[1:-3])
    is_pixel = ones & (is_end[2:-2] | tens & (is_end[1:-3] | hundreds & is_end[:-4]))
    low = digits[3:-1] + digits[2:-2] * np.uint8(10)
    high = digits[1:-3] * tens.view(np.uint8) + (~is_pixel).view(np.uint8) * np.uint8(3)
    values: NDArray[np.uint16] = low + high.astype(np.uint16) * np.uint16(100)
    return values
