"""Take 64-bit floats as the decimals that they are written as: 9000.1 means 9000.1, not the nearest double.

Whatever is compared or halved here must come out as on paper: a window of 1.0 about 9000.1 reaches 9000.6,
although the nearest doubles of the three lie otherwise. Whole arrays are done with integers where they
prove to be short decimals, which depths and measured values nearly always are.
"""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

# Feet and metres have four at most; nine leave room, and 10**9 times a depth of any hole fits in 53 bits.
DIGITS = 9
# Below it doubles hold every whole number, and the quotient of two of them is rounded only once.
WHOLE = 2**53


def fraction(value: float) -> Fraction:
    """Return the shortest decimal that reads as ``value``."""
    return Fraction(repr(float(value)))


def scaled(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], int] | None:
    """Return finite values as whole numbers, and how many digits behind the point these stand for.

    None where a value has more than nine such digits, or is too large for 53 bits. That the quotient is the
    value again proves that no other decimal of so few digits is meant.
    """
    for digits in range(DIGITS + 1):
        shifted = np.rint(values * 10.0**digits)
        if not (np.abs(shifted) < WHOLE).all():
            return None
        if (shifted / 10.0**digits == values).all():
            return shifted.astype(np.int64), digits
    return None


def multiplied(values: NDArray[np.float64], ratio: Fraction) -> NDArray[np.float64]:
    """Return the doubles nearest to the exact products of the values, as decimals, and ``ratio`` above 0."""
    found = scaled(values)
    if found is not None:
        whole, digits = found
        factor = ratio / 10**digits
        largest = int(np.abs(whole).max(initial=0)) * factor.numerator
        if max(largest, factor.denominator) < WHOLE:
            products: NDArray[np.float64] = whole * factor.numerator / np.float64(factor.denominator)
            return products
    return np.array([float(fraction(value) * ratio) for value in values.tolist()], np.float64)
