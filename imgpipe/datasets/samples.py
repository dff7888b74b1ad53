"""Read the samples of a data set: a picture's bytes, its text, and what is known of it."""

import logging
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, repeat
from typing import Any, NamedTuple

from sqlalchemy import and_, select

from imgpipe.database.models import Image, Thumbnail
from imgpipe.datasets.selection import Selection, Split, side_of, walk
from imgpipe.extensions import parts
from imgpipe.imaging.recipe import SQUARE, square_box
from imgpipe.pictures.originals import read_original
from imgpipe.storage.protocol import MissingObject, Storage

ORIGINAL = "original"
SIZES = (SQUARE, "medium", ORIGINAL)
# How many files a thread that reads ahead reads in a row: to hand over every single one costs as much as to
# read it. Originals may be large, so two at a time are enough.
IN_A_ROW, ORIGINALS = 8, 2
log = logging.getLogger(__name__)
_Block = list[Any]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to export, and how: ``size`` of the pictures, ``prefix`` before every text, parts by ``split``."""

    chosen: Selection = field(default_factory=Selection)
    size: str = SQUARE
    prefix: str = ""
    split: Split = ()


class Sample(NamedTuple):
    """One picture of the data set; ``data`` is its file, None when that is missing; ``crc`` its CRC-32."""

    id: str
    row: Any
    recipe: Recipe
    data: bytes | None
    crc: int | None = None

    @property
    def part(self) -> str:
        """Return the folder of its part of a split, with a slash, or nothing."""
        return f"{self.side}/" if self.side else ""

    @property
    def side(self) -> str:
        """Return the name of its part of a split, or nothing."""
        return side_of(self.recipe.split, self.row.sha256) if self.recipe.split else ""

    @property
    def suffix(self) -> str:
        """Return the ending that its bytes deserve."""
        return str(self.row.shown_format)

    @property
    def name(self) -> str:
        """Return the file's name, unique and without a second dot."""
        return f"{self.id}.{self.suffix}"

    @property
    def text(self) -> str:
        """Return the caption with its prefix; nothing where there is no caption."""
        return self.recipe.prefix + self.row.caption if self.row.caption is not None else ""

    @property
    def box(self) -> list[int] | None:
        """Return where the picture lies in its square: left, top, right, bottom, px; None for other sizes."""
        if self.recipe.size != SQUARE:
            return None
        return list(square_box((self.row.width, self.row.height)))

    def describe(self) -> dict[str, Any]:
        """Return what is known of it; ``width`` and ``height`` are the upright original's, px, or None."""
        return {
            "text": self.text,
            "labels": self.row.labels,
            "caption_source": self.row.caption_source,
            "box": self.box,
            "image_id": self.id,
            "original_name": self.row.original_name,
            "width": self.row.width,
            "height": self.row.height,
            "sha256": self.row.sha256,
        }


def read(recipe: Recipe, with_data: bool = True, with_crc: bool = False) -> Iterator[Sample]:
    """Yield the samples by ascending id, some files read ahead; without data only what is known of them.

    The sums of a zip are as much work as reading is, and so made by those who read ahead.

    Raises: ``OSError`` when storage is away; what a database that is away raises.
    """
    rows = walk(recipe.chosen, (*_COLUMNS, *_file_columns(recipe.size)))
    if not with_data:
        yield from (Sample(str(row.id), row, recipe, None) for row in rows)
        return
    read_block = partial(_read, recipe, parts.storage, with_crc)
    readers, in_a_row = parts.storage.readers, IN_A_ROW
    if recipe.size == ORIGINAL:
        readers, in_a_row = min(readers, ORIGINALS), 1
    blocks = iter(lambda: list(islice(rows, in_a_row)), [])
    for samples in _ahead(read_block, blocks, readers) if readers > 1 else map(read_block, blocks):
        yield from samples


def _ahead(
    read: Callable[[_Block], list[Sample]], blocks: Iterator[_Block], readers: int
) -> Iterator[list[Sample]]:
    """Read blocks in threads, as many ahead as there are threads."""
    reading = deque[Future[list[Sample]]]()
    with ThreadPoolExecutor(readers, "export") as pool:
        try:
            for block in blocks:
                reading.append(pool.submit(read, block))
                if len(reading) > readers:
                    yield reading.popleft().result()
            while reading:
                yield reading.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


_COLUMNS: tuple[Any, ...] = (
    Image.original_name,
    Image.caption,
    Image.caption_source,
    Image.labels,
    Image.facts["width"].as_integer().label("width"),
    Image.facts["height"].as_integer().label("height"),
)


def _file_columns(size: str) -> tuple[Any, ...]:
    """Return where the file is, and its format, as columns that are null where there is none."""
    if size == ORIGINAL:
        return (Image.original_key.label("shown_key"), Image.format.label("shown_format"))
    ours = and_(Thumbnail.image_id == Image.id, Thumbnail.name == size)
    return tuple(
        select(column).where(ours).correlate(Image).scalar_subquery().label(name)
        for name, column in (("shown_key", Thumbnail.key), ("shown_format", Thumbnail.format))
    )


def _read(recipe: Recipe, storage: Storage, with_crc: bool, rows: _Block) -> list[Sample]:
    contents = [_read_one(storage, row) for row in rows]
    sums = [zlib.crc32(content) if with_crc and content else None for content in contents]
    ids = [str(row.id) for row in rows]
    return [*map(Sample, ids, rows, repeat(recipe), contents, sums)]


def _read_one(storage: Storage, row: Any) -> bytes | None:
    try:
        return read_original(storage, row.shown_key)
    except MissingObject:
        log.warning("a file of %s is missing, it is left out of the export", row.id)
        return None
