"""Measure how pictures that look alike are found: how well on a corpus, how fast among a million.

    python -m benchmarks.alike [HASHES]

The corpus is the one of the tests, without blank pictures and those under 32 px. It has the same scene in
many formats: pairs whose grey values correlate by more than 0.9 are taken for such, and not for mistakes.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from benchmarks.apps import fresh_app
from benchmarks.results import amount, record
from imgpipe.database.engine import writing
from imgpipe.errors import ImgpipeError
from imgpipe.imaging.fingerprint import distance, fingerprint_of
from imgpipe.pictures import alike
from tests.corpus import CORPUS, entries

MANY = int(sys.argv[1]) if sys.argv[1:] else amount(1_000_000, 5_000)
ASKED, SMALLEST, SAME = 60, 32, 0.9
DISTANCES = (4, 6, 8, 10)
Variant = Callable[[Image.Image], tuple[Image.Image, int]]


def cropped(share: float) -> Variant:
    """Cut a share of each side off, at each side."""

    def crop(picture: Image.Image) -> tuple[Image.Image, int]:
        across, down = round(picture.width * share), round(picture.height * share)
        return picture.crop((across, down, picture.width - across, picture.height - down)), 90

    return crop


VARIANTS: dict[str, Variant] = {
    "half the size": lambda picture: (picture.resize((picture.width // 2, picture.height // 2)), 90),
    "recompressed at 30": lambda picture: (picture, 30),
    "1 % off each side": cropped(0.01),
    "3 % off each side": cropped(0.03),
    "8 % off each side": cropped(0.08),
    "mirrored": lambda picture: (ImageOps.mirror(picture), 90),
}


def main() -> None:
    pictures = list(_pictures())
    print(f"{len(pictures)} pictures of the corpus")
    wrong = dict.fromkeys(DISTANCES, 0)
    for (one, first), (other, second) in combinations(pictures, 2):
        apart = distance(one, other)
        if apart <= max(DISTANCES) and not _same_scene(first, second):
            for far in DISTANCES:
                wrong[far] += apart <= far
    print(f"of {len(pictures) * (len(pictures) - 1) // 2:,} pairs wrongly taken for alike within: {wrong}")
    for name, vary in VARIANTS.items():
        fars = [distance(hash, _hash(*vary(picture)) or 0) for hash, picture in pictures]
        shares = {far: f"{sum(each <= far for each in fars) / len(fars):.1%}" for far in DISTANCES}
        print(f"{name:20} found within: {shares}")
    _time()


def _pictures() -> Iterator[tuple[int, Image.Image]]:
    for entry in entries("must_succeed"):
        try:
            with Image.open(CORPUS / entry["file"]) as picture:
                plain = picture.convert("RGB")
            hash = _hash(plain, 95)
        except (OSError, ImgpipeError, ValueError, SyntaxError):
            continue
        if hash is not None and min(plain.size) >= SMALLEST:
            yield hash, plain


def _same_scene(*pictures: Image.Image) -> bool:
    """Judge by the pixels themselves, and not by the hash: grey values that go together."""
    grey = (picture.convert("L").resize((64, 64), Image.Resampling.BOX) for picture in pictures)
    first, second = (np.asarray(each, np.float64).ravel() for each in grey)
    return bool(np.corrcoef(first, second)[0, 1] > SAME)


def _hash(picture: Image.Image, quality: int) -> int | None:
    file = BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return fingerprint_of(file.getvalue())[1]


def _time() -> None:
    with tempfile.TemporaryDirectory() as folder:
        app = fresh_app(Path(folder))
        with app.app_context():
            hashes = np.random.default_rng(7).integers(-(2**63), 2**63, MANY).tolist()
            rows = sorted(
                (band, hash, at) for at, hash in enumerate(hashes) for band in alike._quarters(hash)
            )
            with writing(durable=False) as session:
                statement = "INSERT INTO hash_bands (band, hash, position) VALUES (?, ?, ?)"
                session.connection().exec_driver_sql(statement, rows)
            del rows
            for far in (3, 6, 8, 10):
                took = [_took(hash, far) for hash in hashes[:ASKED]]
                record(f"alike within {far} bits among {MANY:,}", took, "ms of CPU")


def _took(hash: int, far: int) -> float:
    began = time.process_time()
    assert list(alike.within(hash, far))
    return (time.process_time() - began) * 1000


if __name__ == "__main__":
    main()
