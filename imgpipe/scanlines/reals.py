"""Read a chunk of real numbers as arrays of machine words: fast, and silent where it is not certain.

Eight digits are a word of 64 bits, of which three multiplications make a number, for all cells at once.
``realcells`` says what is right; this module proves that a chunk is written plainly (digits, points, minus
signs, commas, line ends) or leaves it, or single cells, to ``realcells``. A value is what ``float`` reads.
"""

import numpy as np
from numpy.typing import NDArray

from imgpipe.scanlines import digits
from imgpipe.scanlines.digits import MARGIN
from imgpipe.scanlines.realcells import Reals, Rules, Values, parse_value

_POINT, _MINUS = b".-"
_WORD = 8
# So many digits fit in a word as a number; and 10**19 is still a double, as all powers of ten up to 10**22.
_DIGITS = 19
_POWERS = 10.0 ** np.arange(_DIGITS + 1)
# Whole numbers up to here are doubles; beyond, the quotient takes two steps.
_EXACT = 2.0**53
_LARGEST = 9e18
# Masks for the last n bytes of a word as it lies in memory, n from 0 to 8.
_LAST = np.array([2**64 - (1 << 8 * (_WORD - n)) for n in range(_WORD + 1)], np.uint64)
_ZEROS, _POINTS, _ABOVE_NINE, _HIGH_BITS = (
    np.uint64(int(byte * _WORD, 16)) for byte in ("30", "2e", "76", "80")
)

Words = NDArray[np.uint64]
Places = NDArray[np.intp]
Mask = NDArray[np.bool_]


def parse(chunk: bytes, source_width: int, rules: Rules) -> Values | None:
    """Read whole lines of one depth and ``source_width`` values; None when any is not plainly right."""
    table = digits.lay_out(chunk, source_width)
    if table is None:
        return None
    depths = digits.parse_depths(table)
    values = None if depths is None else _parse_values(table, rules)
    if depths is None or values is None:
        return None
    values = rules.blank(values)
    return Values(depths, values) if rules.accept(values) else None


def _parse_values(table: digits.Table, rules: Rules) -> Reals | None:
    """Read all cells but a line's first at once, and those few that are written otherwise one by one."""
    ends = table.ends[:, 1:]
    starts = table.ends[:, :-1] + 1
    negative: Mask | None = None
    begins = starts
    if b"-" in table.chunk:
        negative = table.raw.take(starts + MARGIN) == _MINUS
        begins = starts + negative
    # The same bytes as words that begin at every byte.
    words = np.ascontiguousarray(np.ndarray(len(table.raw) - _WORD + 1, "<u8", table.raw, strides=(1,)))
    values, odd = _evaluate_alike(table, words, begins, ends), None
    if values is None:
        values, odd = _evaluate(words, begins, _find_points(table, begins, ends), ends)
    if negative is not None:
        np.negative(values, out=values, where=negative)
        values += 0.0  # -0.0 becomes 0.0
    if odd is None or not odd.any():
        return values
    if rules.missing:
        values[starts == ends] = np.nan
        odd &= starts < ends
    return values if _read_others(table.chunk, values, odd, starts, ends, rules) else None


def _read_others(chunk: bytes, values: Reals, odd: Mask, starts: Places, ends: Places, rules: Rules) -> bool:
    """Put in the values of odd cells, in place; False when one is no value."""
    for row, column in np.argwhere(odd).tolist():
        text = chunk[starts[row, column] : ends[row, column]].decode("ascii", "replace")
        value = parse_value(text, rules)
        if value is None:
            return False
        values[row, column] = value
    return True


def _find_points(table: digits.Table, begins: Places, ends: Places) -> Places:
    """Return where each cell's last point is, or its end where there is none."""
    places = np.flatnonzero(table.raw[MARGIN:] == _POINT)
    for skipped in (0, 1):  # the depths may have points, or not
        if len(places) == table.ends[:, skipped:].size:
            points = places.reshape(len(ends), -1)[:, 1 - skipped :]
            if ((points >= begins) & (points < ends)).all():
                return points
    points = table.ends.copy()
    points.ravel()[np.searchsorted(table.ends.ravel(), places)] = places
    return points[:, 1:]


def _evaluate_alike(table: digits.Table, words: Words, begins: Places, ends: Places) -> Reals | None:
    """Return the values where each cell is eight digits at most with as many decimals, as files mostly are.

    Then the point is at the same place in all words, and the bytes before it move up to close the gap.
    """
    lengths = ends - begins
    most, least = int(lengths.max()), int(lengths.min())
    decimals = int(ends[0, 0]) - 1 - table.chunk.rfind(b".", int(begins[0, 0]), int(ends[0, 0]))
    if most > _WORD + 1 or not 0 < decimals < min(least, _WORD):
        return None
    places = ends + (MARGIN - _WORD)
    cells = words.take(places)
    here = np.uint64(0xFF << 8 * (_WORD - 1 - decimals))
    if np.bitwise_or.reduce((cells ^ _POINTS) & here, axis=None):
        return None
    behind = _LAST[decimals]
    closed = (cells & behind) | (cells << np.uint64(8) & ~behind)
    if most > _WORD:
        closed |= words.take(places - 1) & np.uint64(0xFF)
    closed ^= _ZEROS
    unused = (8 * (_WORD + 1) - 8 * lengths).view(np.uint64)
    closed >>= unused
    closed <<= unused
    if np.bitwise_or.reduce((closed + _ABOVE_NINE) | closed, axis=None) & _HIGH_BITS:
        return None
    values: Reals = _join_digits(closed).view(np.int64) / _POWERS[decimals]
    return values


def _evaluate(words: Words, begins: Places, points: Places, ends: Places) -> tuple[Reals, Mask]:
    """Return whole part and decimals as one number, and which cells have to be read otherwise."""
    decimals = np.maximum(ends - points - 1, 0)
    wholes = points - begins
    whole, wrong_whole = _parse_digits(words, points, wholes)
    part, wrong_part = _parse_digits(words, ends, decimals)
    odd = wrong_whole | wrong_part | (wholes + decimals == 0)
    powers = _POWERS.take(decimals, mode="clip")
    rough = whole * powers + part
    if rough.max(initial=0) < _EXACT:
        return rough / powers, odd
    odd |= rough >= _LARGEST
    with np.errstate(invalid="ignore", over="ignore"):
        numerator = whole * powers.astype(np.uint64) + part
    values, certain = _divide(numerator, powers)
    return values, odd | ~certain


def _parse_digits(words: Words, ends: Places, counts: Places) -> tuple[Words, Mask]:
    """Make numbers of so many digits before each end, at most 19; and tell where there is anything else."""
    most = int(counts.max(initial=0))
    number, wrong = _parse_word(words.take(ends + (MARGIN - _WORD)), counts)
    for before in range(_WORD, min(most, _DIGITS), _WORD):
        begins = ends + (MARGIN - _WORD - before)
        more, also = _parse_word(words.take(begins), counts - before)
        number += more * np.uint64(10**before)
        wrong |= also
    return number, wrong | (counts > _DIGITS) if most > _DIGITS else wrong


def _parse_word(words: Words, counts: Places) -> tuple[Words, Mask]:
    """Make numbers of the last ``counts`` bytes of words; bytes that are no digits are told."""
    found = (words ^ _ZEROS) & _LAST.take(counts, mode="clip")
    wrong = ((found + _ABOVE_NINE) | found) & _HIGH_BITS != 0
    return _join_digits(found), wrong


def _join_digits(found: Words) -> Words:
    """Make numbers of eight digits a word, in place.

    Pairs of digits, then of pairs, then of those: each step puts the left one's worth upon the right one's.
    """
    for bits, worth, kept in ((8, 10, 0x00FF00FF00FF00FF), (16, 100, 0x0000FFFF0000FFFF), (32, 10_000, -1)):
        found *= np.uint64(1 + (worth << bits))
        found >>= np.uint64(bits)
        found &= np.uint64(kept % 2**64)
    return found


def _divide(numerator: Words, powers: Reals) -> tuple[Reals, Mask]:
    """Divide whole numbers of up to 64 bits by powers of ten; tell where the rounding is certain."""
    high = numerator.astype(np.float64)
    low = (numerator - high.astype(np.uint64)).view(np.int64).astype(np.float64)
    quotient = high / powers
    rest = (_remainder(high, quotient, powers) + low) / powers
    # The rest is known to 50 bits: where a hair more or less gives the same double, it is the nearest.
    hair = np.abs(rest) * 2.0**-40
    return quotient + rest, quotient + (rest - hair) == quotient + (rest + hair)


def _remainder(high: Reals, quotient: Reals, powers: Reals) -> Reals:
    """Return high - quotient * powers without rounding (T. J. Dekker, A floating-point technique, 1971)."""
    product = quotient * powers
    quotient_head, powers_head = _head(quotient), _head(powers)
    quotient_tail, powers_tail = quotient - quotient_head, powers - powers_head
    error = quotient_head * powers_head - product
    error += quotient_head * powers_tail
    error += quotient_tail * powers_head
    error += quotient_tail * powers_tail
    return (high - product) - error


def _head(numbers: Reals) -> Reals:
    """Return the upper 26 bits of doubles."""
    large = numbers * (2.0**27 + 1)
    return large - (large - numbers)
