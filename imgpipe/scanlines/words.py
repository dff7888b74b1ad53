"""Make numbers of digits as machine words: eight digits are one, and three multiplications make it a number.

All cells are done at once. Cells are told by their places in text that stands behind a margin.
"""

import numpy as np
from numpy.typing import NDArray

from imgpipe.scanlines.rows import Grey

WORD = 8
# So many bytes stand before the text, so that every byte has three words to its left.
MARGIN = 3 * WORD
# So many digits fit in a word as a number; and 10**19 is still a double, as all powers of ten up to 10**22.
DIGITS = 19
POWERS = 10.0 ** np.arange(DIGITS + 1)
ZEROS = np.uint64(int("30" * WORD, 16))
_POINT_OF_ZEROS = 0x2E ^ 0x30

Words = NDArray[np.uint64]
Places = NDArray[np.intp]


def spread(raw: Grey) -> Words:
    """Return the words that begin at every byte of margin and text."""
    return np.ascontiguousarray(np.ndarray(len(raw) - WORD + 1, "<u8", raw, strides=(1,)))


def evaluate_alike(raw: Grey, begins: Places, ends: Places, decimals: int) -> NDArray[np.float64] | None:
    """Return the values of cells of at most eight digits with so many decimals; None when one is not so.

    Then the point is at the same place in all words, and the bytes before it move up to close the gap.
    """
    lengths = ends - begins
    most, least = int(lengths.max()), int(lengths.min())
    if most > WORD + (decimals > 0) or not decimals < min(least, WORD):
        return None
    cells = spread(raw).take(ends + (MARGIN - WORD))
    cells ^= ZEROS
    if decimals:
        point = 8 * (WORD - 1 - decimals)
        cells ^= np.uint64(_POINT_OF_ZEROS << point)
        if int(np.bitwise_or.reduce(cells, axis=None)) >> point & 0xFF:
            return None
        before = cells & np.uint64((1 << point) - 1)
        before *= np.uint64(0xFF)
        cells += before
    if most > WORD:
        cells |= raw.take(ends + (MARGIN - WORD - 1)) ^ np.uint8(0x30)
    lengths -= WORD + (decimals > 0)
    lengths *= -8
    unused = lengths.view(np.uint64)
    cells >>= unused
    cells <<= unused
    if cells.view(np.uint8).max() > 9:
        return None
    values: NDArray[np.float64] = join_digits(cells).view(np.int64) / POWERS[decimals]
    return values


def join_digits(found: Words) -> Words:
    """Make numbers of eight digits a word, in place.

    Pairs of digits, then of pairs, then of those: each step puts the left one's worth upon the right one's.
    """
    for bits, worth, kept in ((8, 10, 0x00FF00FF00FF00FF), (16, 100, 0x0000FFFF0000FFFF), (32, 10_000, None)):
        found *= np.uint64(1 + (worth << bits))
        found >>= np.uint64(bits)
        if kept:
            found &= np.uint64(kept)
    return found
