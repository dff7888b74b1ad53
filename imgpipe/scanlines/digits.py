"""Read a chunk of a depth log as arrays of bytes: fast, and silent where it is not certain.

NumPy works through whole chunks here at the speed of the processor's cache. ``cells`` says what is right;
this module proves that a chunk is written in the plainest way (digits, commas, line ends) or leaves it to
``cells``.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgpipe.scanlines import words
from imgpipe.scanlines.cells import LINE_BYTES, Block
from imgpipe.scanlines.rows import Grey, Mask
from imgpipe.scanlines.words import MARGIN, Places

_COMMA, _NEWLINE, _POINT, _ZERO = b",\n.0"
_DEPTH_BYTES = b"0123456789+-.eE"


class Table(NamedTuple):
    """Plain lines: ``chunk`` without CR and blanks, and where each cell ends in it, (rows, cells a row).

    ``raw`` are the bytes behind a margin of commas, and ``is_end`` tells which of them end a cell.
    """

    chunk: bytes
    raw: Grey
    is_end: Mask
    ends: Places

    def decimals(self, begin: int, end: int) -> int:
        """Count the digits behind the point of a cell."""
        point = self.chunk.rfind(b".", begin, end)
        return 0 if point < 0 else end - 1 - point


def parse(chunk: bytes, source_width: int) -> Block | None:
    """Read whole lines of one depth and ``source_width`` pixels; None when any is not plainly right."""
    table = lay_out(chunk, source_width)
    if table is None:
        return None
    depths = parse_depths(table)
    pixels = _parse_pixels(table)
    return None if depths is None or pixels is None else Block(depths, pixels)


def lay_out(chunk: bytes, source_width: int) -> Table | None:
    """Find the cells of whole lines; None when these do not have one depth and ``source_width`` more."""
    if len(chunk) > LINE_BYTES:
        return None
    if b"\r" in chunk:
        chunk = chunk.replace(b"\r\n", b"\n")
    if b" " in chunk:
        chunk = chunk.replace(b", ", b",")
    raw = np.frombuffer(MARGIN * b"," + chunk, np.uint8)
    is_newline = raw == _NEWLINE
    is_end = is_newline | (raw == _COMMA)
    ends = np.flatnonzero(is_end[MARGIN:])
    rows, left_over = divmod(len(ends), source_width + 1)
    line_ends = ends[source_width :: source_width + 1]
    # With a line end in each of these places, and so many in all, there is none elsewhere.
    if left_over or np.count_nonzero(is_newline) != rows or not is_newline[MARGIN:].take(line_ends).all():
        return None
    return Table(chunk, raw, is_end, ends.reshape(rows, -1))


def parse_depths(table: Table) -> NDArray[np.float64] | None:
    """Read the first cell of each line; None when one is not plainly a finite decimal number."""
    ends = table.ends[:, 0]
    begins = np.append(0, table.ends[:-1, -1] + 1)
    own = np.arange(len(ends)) * MARGIN  # where they end in a text of nothing else, each behind a margin
    near = table.raw.take(ends[:, None] + np.arange(MARGIN)).ravel()
    alike = words.evaluate_alike(near, own - (ends - begins), own, table.decimals(0, int(ends[0])))
    if alike is not None:
        return alike
    return _parse_texts([table.chunk[b:e] for b, e in zip(begins.tolist(), ends.tolist(), strict=True)])


def _parse_texts(texts: list[bytes]) -> NDArray[np.float64] | None:
    # Of these bytes float() reads nothing but decimal numbers: no nan, no inf, no 1_000.
    if b"".join(texts).translate(None, _DEPTH_BYTES):
        return None
    try:
        depths = np.array(list(map(float, texts))) + 0.0  # -0.0 becomes 0.0
    except ValueError:
        return None
    return depths if np.isfinite(depths).all() else None


def _parse_pixels(table: Table) -> Grey | None:
    """Look up what stands before each end but a line's first; once more without ``.0`` if need be."""
    raw, is_end, ends = table.raw[MARGIN - 4 :], table.is_end[MARGIN - 4 :], table.ends
    values, is_pixel = _evaluate(raw, is_end)
    # Counted along the bytes, which takes less than to look at each cell.
    count = np.count_nonzero(is_pixel & is_end[4:]) - np.count_nonzero(is_pixel.take(ends[:, 0]))
    if count < ends[:, 1:].size:
        is_point_zero = (raw[2:-2] == _POINT) & (raw[3:-1] == _ZERO)
        ends = ends - 2 * is_point_zero.take(ends)
        if not is_pixel.take(ends[:, 1:]).all():
            return None
    return values.take(ends)[:, 1:]


def _evaluate(raw: Grey, is_end: Mask) -> tuple[Grey, Mask]:
    """Tell for each byte after the fourth what pixel ends before it, and whether one does.

    A pixel is one to three digits with an end before them, 255 at most.
    """
    digits = raw - np.uint8(_ZERO)
    is_digit = digits < 10
    digits *= is_digit.view(np.uint8)
    pairs = digits[:-1] * np.uint8(10)
    pairs += digits[1:]
    pairs *= is_digit[1:].view(np.uint8)
    pairs, ones = pairs[1:-2], digits[3:-1]
    values = pairs * np.uint8(10)
    values += ones
    is_pixel = is_digit[1:-3] & is_end[:-4]
    is_pixel |= is_end[1:-3]
    is_pixel &= is_digit[2:-2]
    is_pixel |= is_end[2:-2]
    is_pixel &= is_digit[3:-1]
    is_pixel &= pairs <= 25
    is_pixel &= values >= ones  # what wraps around at 256 is less
    return values, is_pixel
