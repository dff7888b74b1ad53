"""Scale rows of pixels by area: a new pixel is the exact mean of what it covers, halves rounded up."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgpipe.scanlines.rows import Grey, Mask

WIDTH = 150
PATTERN = 32  # old and new pixels together, up to which going column by column is quicker than running sums


def resize(pixels: Grey, width: int = WIDTH) -> Grey:
    """Scale every row of a block, uint8 (n, w) -> (n, ``width``), w up to 10,000; rows do not touch.

    Where no short pattern repeats, a running sum is read off at the borders of the new pixels; the
    differences are what they cover. A matrix product with the weights is as fast only alone on the machine:
    its threads wait for each other.
    """
    sums, size = _cover(pixels, width)
    return _mean(sums, size)


def resize_around(pixels: Grey, holes: Mask | None, width: int = WIDTH) -> tuple[Grey, Mask | None]:
    """Scale rows with holes, bool (n, w): a new pixel is the mean of the values that it covers.

    It is a hole, and its grey 0, where less than half of its width has values.
    """
    if holes is None or not holes.any():
        return resize(pixels, width), None
    solid = ~holes
    sums, size = _cover(pixels * solid, width)
    weights, _ = _cover(solid.view(np.uint8), width)
    return _mean_around(sums, weights, size)


def _cover(pixels: Grey, width: int) -> tuple[NDArray[np.number], int]:
    """Sum up what each new pixel covers, and return how many parts of an old one that are."""
    places, shares, part, size = _borders(pixels.shape[1], width)
    if part + size <= PATTERN:
        return _cover_repeating(pixels, part, size), size
    # The sums may wrap around: what counts is that the differences, 255 * size at most, fit.
    narrow = np.uint16 if size <= 256 else np.uint32
    running = np.zeros((len(pixels), pixels.shape[1] + 1), narrow)
    running[:, 1:] = pixels
    np.cumsum(running, axis=1, out=running)
    covered = running.take(places, axis=1) * narrow(part)
    covered[:, :-1] += pixels.take(places[:-1], axis=1) * shares[:-1].astype(narrow)
    return covered[:, 1:] - covered[:, :-1], size


def _cover_repeating(pixels: Grey, part: int, size: int) -> NDArray[np.number]:
    """Do so column by column, where along a row ``size`` old pixels make ``part`` new ones over and over.

    Columns are copied out of their rows first: what lies close together is worked through many at once.
    """
    old = pixels.reshape(-1, size)
    columns = [old[:, place].astype(np.uint16) for place in range(size)]
    new = np.empty((len(old), part), np.uint16)
    for place in range(part):
        start, end = place * size, (place + 1) * size
        covered = range(start // part, -(-end // part))
        shares = [np.uint16(min(end, (n + 1) * part) - max(start, n * part)) for n in covered]
        total = columns[covered[0]] * shares[0]
        for n, share in zip(covered[1:], shares[1:], strict=True):
            total += columns[n] * share
        new[:, place] = total
    return new.reshape(len(pixels), pixels.shape[1] // size * part)


@lru_cache(maxsize=16)
def _borders(source_width: int, width: int) -> tuple[NDArray[np.intp], NDArray[np.intp], int, int]:
    """Return the pixels that hold the borders, how far in, and both kinds' sizes, all in whole units."""
    shared = gcd(source_width, width)
    part, size = width // shared, source_width // shared
    places, shares = np.divmod(np.arange(width + 1) * size, part)
    return places, shares, part, size


def average_rows(blocks: Iterable[Grey], rows: int, max_rows: int) -> Iterator[Grey]:
    """Average neighbouring rows of blocks, ``rows`` in all, down to ``max_rows``; fewer pass as they are.

    One block is in memory at a time. New row j covers the rows from j * rows / max_rows to (j + 1) * rows /
    max_rows; a row on the border counts on both sides with its shares.
    """
    if rows <= max_rows:
        yield from blocks
        return
    begun: NDArray[np.int64] | int = 0
    first = 0
    for block in blocks:
        sums, begun = _cut(block, first, rows, max_rows, begun)
        first += len(block)
        if len(sums):
            yield _mean(sums, rows)
    yield _mean(np.atleast_2d(begun), rows)


def average_rows_around(
    blocks: Iterable[tuple[Grey, Mask | None]], rows: int, max_rows: int
) -> Iterator[tuple[Grey, Mask | None]]:
    """Do what ``average_rows`` does to blocks with holes, by the rule of ``resize_around``."""
    if rows <= max_rows:
        yield from blocks
        return
    begun: NDArray[np.int64] | int = 0
    weighed: NDArray[np.int64] | int = 0
    first = 0
    for block, holes in blocks:
        solid = np.ones(block.shape, np.bool_) if holes is None else ~holes
        sums, begun = _cut(block * solid, first, rows, max_rows, begun)
        weights, weighed = _cut(solid.view(np.uint8), first, rows, max_rows, weighed)
        first += len(block)
        if len(sums):
            yield _mean_around(sums, weights, rows)
    yield _mean_around(np.atleast_2d(begun), np.atleast_2d(weighed), rows)


def _cut(
    block: Grey, first: int, rows: int, max_rows: int, begun: NDArray[np.int64] | int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sum a block up between the borders that fall into it; return what is complete and what is begun.

    Counted in units of 1 / ``max_rows`` of a row, every border is a whole number.
    """
    first_border = max(1, -(-first * max_rows // rows))
    last_border = -(-(first + len(block)) * max_rows // rows)
    places, shares = np.divmod(np.arange(first_border, last_border) * rows, max_rows)
    places -= first
    if not len(places):
        return np.empty((0, block.shape[1]), np.int64), begun + max_rows * _sum(block)
    sums = np.empty((len(places) + 1, block.shape[1]), np.int64)
    sums[0] = begun + max_rows * _sum(block[: places[0]])
    sums[1:] = np.add.reduceat(block, places, axis=0, dtype=np.uint32)
    sums[1:] *= max_rows
    early = shares[:, None] * block[places]
    sums[:-1] += early
    sums[1:] -= early
    return sums[:-1], sums[-1]


def _sum(block: Grey) -> NDArray[np.int64]:
    return np.asarray(block.sum(axis=0), np.int64)


def _mean_around(sums: NDArray[Any], weights: NDArray[Any], size: int) -> tuple[Grey, Mask | None]:
    """Divide by what has values, halves rounded up: of an odd weight there are none."""
    holes = weights < size - size // 2
    weights = np.maximum(weights, 1)
    grey = ((sums + weights // 2) // weights).astype(np.uint8)
    grey[holes] = 0
    return grey, holes if holes.any() else None


def _mean(sums: NDArray[np.number], size: int) -> Grey:
    return ((sums + size // 2) // size).astype(np.uint8)
