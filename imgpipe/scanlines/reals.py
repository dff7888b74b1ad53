"""Read a chunk of real numbers as arrays of machine words: fast, and silent where it is not certain.

``words`` makes numbers of eight digits at once, for all cells at once.
``realcells`` says what is right; this module proves that a chunk is written plainly (digits, points, minus
signs, commas, line ends) or leaves it, or single cells, to ``realcells``. A value is what ``float`` reads.
"""

import numpy as np

from imgpipe.scanlines import digits, words
from imgpipe.scanlines.realcells import Reals, Rules, Values, parse_value
from imgpipe.scanlines.rows import Mask
from imgpipe.scanlines.words import DIGITS, MARGIN, POWERS, WORD, ZEROS, Places, Words, join_digits

_POINT, _MINUS = b".-"
# Whole numbers up to here are doubles; beyond, the quotient takes two steps.
_EXACT = 2.0**53
_LARGEST = 9e18
# Masks for the last n bytes of a word as it lies in memory, n from 0 to 8.
_LAST = np.array([2**64 - (1 << 8 * (WORD - n)) for n in range(WORD + 1)], np.uint64)
_ABOVE_NINE, _HIGH_BITS = (np.uint64(int(byte * WORD, 16)) for byte in ("76", "80"))


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
    decimals = table.decimals(int(begins[0, 0]), int(ends[0, 0]))
    values, odd = words.evaluate_alike(table.raw, begins, ends, decimals), None
    if values is None:
        points = _find_points(table, begins, ends)
        values, odd = _evaluate(words.spread(table.raw), begins, points, ends)
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


def _evaluate(spread: Words, begins: Places, points: Places, ends: Places) -> tuple[Reals, Mask]:
    """Return whole part and decimals as one number, and which cells have to be read otherwise."""
    decimals = np.maximum(ends - points - 1, 0)
    wholes = points - begins
    whole, wrong_whole = _parse_digits(spread, points, wholes)
    part, wrong_part = _parse_digits(spread, ends, decimals)
    odd = wrong_whole | wrong_part | (wholes + decimals == 0)
    powers = POWERS.take(decimals, mode="clip")
    rough = whole * powers + part
    if rough.max(initial=0) < _EXACT:
        return rough / powers, odd
    odd |= rough >= _LARGEST
    with np.errstate(invalid="ignore", over="ignore"):
        numerator = whole * powers.astype(np.uint64) + part
    values, certain = _divide(numerator, powers)
    return values, odd | ~certain


def _parse_digits(spread: Words, ends: Places, counts: Places) -> tuple[Words, Mask]:
    """Make numbers of so many digits before each end, at most 19; and tell where there is anything else."""
    most = int(counts.max(initial=0))
    number, wrong = _parse_word(spread.take(ends + (MARGIN - WORD)), counts)
    for before in range(WORD, min(most, DIGITS), WORD):
        begins = ends + (MARGIN - WORD - before)
        more, also = _parse_word(spread.take(begins), counts - before)
        number += more * np.uint64(10**before)
        wrong |= also
    return number, wrong | (counts > DIGITS) if most > DIGITS else wrong


def _parse_word(found: Words, counts: Places) -> tuple[Words, Mask]:
    """Make numbers of the last ``counts`` bytes of words; bytes that are no digits are told."""
    found = (found ^ ZEROS) & _LAST.take(counts, mode="clip")
    wrong = ((found + _ABOVE_NINE) | found) & _HIGH_BITS != 0
    return join_digits(found), wrong


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
