"""Find the pictures that look alike: exactly, by looking up quarters of their perceptual hashes.

Cut into four quarters, two hashes that differ in at most d bits have one in which they differ in at most
d // 4; better still, among the first (d % 4) + 1 quarters or, by one bit less, among the others (Norouzi,
Punjani and Fleet, 2012, "Fast Search in Hamming Space with Multi-Index Hashing"). At six bits that makes 52
looks into an index instead of one at every picture.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import cast

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Table, delete, insert, select
from sqlalchemy.orm import Session

from imgpipe.database.engine import db
from imgpipe.database.labelmodels import HashBand
from imgpipe.database.models import Image
from imgpipe.imaging.fingerprint import BITS

QUARTERS = 4
WIDTH = BITS // QUARTERS
DISTANCE = 6
FARTHEST = 10
BLOCK = 20_000
_MASK = (1 << WIDTH) - 1
_INSERT = insert(cast(Table, HashBand.__table__))  # past the ORM, whose bookkeeping costs more than it


@dataclass(frozen=True, slots=True)
class Alike:
    """A picture that looks like another: how many bits apart, and whether it is the same bytes."""

    image: Image
    distance: int
    same: bool


def change(session: Session, position: int, before: int | None, after: int | None) -> None:
    """Enter a picture under its hash instead of the one before; part of the caller's transaction."""
    if before == after:
        return
    if before is not None:
        ours = (HashBand.hash == before, HashBand.position == position)
        session.execute(delete(HashBand).where(HashBand.band.in_(_quarters(before)), *ours))
    if after is not None:
        rows = [{"band": band, "hash": after, "position": position} for band in _quarters(after)]
        session.execute(_INSERT, rows)


def find(image: Image, distance: int, limit: int) -> Sequence[Alike]:
    """List the pictures within ``distance`` bits, at most 10, and those of the same bytes: nearest first.

    Of equally near ones the older comes first, and the same bytes before all others.
    """
    near = dict(_nearest(image, distance, limit + 1))
    near.pop(image.position, None)
    twins = select(Image.position).where(Image.sha256 == image.sha256, Image.id != image.id)
    near |= dict.fromkeys(db.session.scalars(twins.order_by(Image.id).limit(limit)), 0)
    found = db.session.scalars(select(Image).where(Image.position.in_(near)))
    told = [Alike(other, near[other.position], other.sha256 == image.sha256) for other in found]
    return sorted(told, key=lambda each: (not each.same, each.distance, each.image.id))[:limit]


def _nearest(image: Image, distance: int, limit: int) -> Iterable[tuple[int, int]]:
    if image.perceptual_hash is None:
        return ()
    hash = image.perceptual_hash
    return ((position, far) for far, position in heapq.nsmallest(limit, within(hash, distance)))


def within(hash: int, distance: int) -> Iterator[tuple[int, int]]:
    """Yield distance and position of the pictures that are near enough, each once, whatever their number."""
    radii = [distance // QUARTERS - (number > distance % QUARTERS) for number in range(QUARTERS)]
    bands = [
        band ^ flipped
        for band, radius in zip(_quarters(hash), radii, strict=True)
        for flipped in _flips(radius)
    ]
    statement = select(HashBand.band, HashBand.hash, HashBand.position).where(HashBand.band.in_(bands))
    for rows in db.session.execute(statement, execution_options={"yield_per": BLOCK}).partitions():
        band, hashes, positions = np.array(rows, np.int64).T
        differing = hashes ^ hash
        far = np.bitwise_count(differing.view(np.uint64))
        near = (far <= distance) & (_first_quarter(differing, radii) == band >> WIDTH)
        yield from zip(far[near].tolist(), positions[near].tolist(), strict=True)


def _first_quarter(differing: NDArray[np.int64], radii: Sequence[int]) -> NDArray[np.intp]:
    """Return for each the first quarter by which it is found: it counts there, and not in later ones."""
    quarters = [differing >> WIDTH * number & _MASK for number in range(QUARTERS)]
    found = [np.bitwise_count(bits) <= radius for bits, radius in zip(quarters, radii, strict=True)]
    first: NDArray[np.intp] = np.argmax(found, axis=0)
    return first


@cache
def _flips(most: int) -> tuple[int, ...]:
    """Return every pattern of at most ``most`` bits in a quarter; none at all below zero."""
    return tuple(
        sum(1 << bit for bit in bits)
        for count in range(most + 1)
        for bits in combinations(range(WIDTH), count)
    )


def _quarters(hash: int) -> list[int]:
    """Return the four quarters of a signed hash, each with its number in front."""
    return [number << WIDTH | hash >> WIDTH * number & _MASK for number in range(QUARTERS)]
