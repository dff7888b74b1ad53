"""Hold the rows of one CSV ready for the database: checked, resized, in depth order, each depth once.

All of that happens in a temp file without a name, before any lock is taken: memory stays small however long
the file is, and a process that dies leaves nothing behind.
"""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from tempfile import TemporaryFile
from typing import IO, BinaryIO

import numpy as np
from numpy.typing import NDArray

from imgpipe.scanlines import csvfile
from imgpipe.scanlines.csvfile import Reader
from imgpipe.scanlines.resize import WIDTH, resize

BLOCK_BYTES = 1 << 20
Row = tuple[float, bytes, bytes]


class Staged:
    """Iterate over the rows as (depth, resized pixels, pixels as uploaded); any number of times."""

    def __init__(self, file: IO[bytes], reader: Reader, depths: NDArray[np.float64]) -> None:
        self._file = file
        self.rows = len(depths)
        self.skipped = reader.skipped
        self.source_width = reader.source_width
        self.depth_min, self.depth_max = depths[[0, -1]].tolist()
        self.depth_step = median_step(depths)

    def __iter__(self) -> Iterator[Row]:
        row = Struct(f"=d{WIDTH}s{self.source_width}s")
        self._file.seek(0)
        while block := self._file.read(_rows_in_block(row.size) * row.size):
            yield from row.iter_unpack(block)


@contextmanager
def stage(stream: BinaryIO, folder: Path) -> Iterator[Staged]:
    """Read a CSV to its end and hold its rows for the length of the block, on the disk of ``folder``.

    Where a depth comes twice, the last line wins. Raises: ``InvalidCsv``.
    """
    reader = csvfile.read(stream)
    with TemporaryFile(dir=folder) as file:
        depths = _write(reader, file)
        order = _order(depths)
        if order is None:
            yield Staged(file, reader, depths)
            return
        with TemporaryFile(dir=folder) as ordered:
            _rewrite(file, ordered, order, len(depths))
            file.truncate(0)
            yield Staged(ordered, reader, depths[order])


def median_step(depths: NDArray[np.float64]) -> float | None:
    """Return the median difference of ascending depths, to nine digits; None where there is no finite one.

    The tenth digit would show how doubles round: 9000.2 - 9000.1 is 0.1000000000003638.
    """
    with np.errstate(over="ignore"):
        step = float(np.median(np.diff(depths))) if len(depths) > 1 else np.inf
    return float(f"{step:.9g}") if np.isfinite(step) else None


def _write(reader: Reader, file: IO[bytes]) -> NDArray[np.float64]:
    """Write each row as ``Staged`` reads it, in the order of the CSV; return the depths."""
    record = np.dtype([("depth", "f8"), ("pixels", "u1", WIDTH), ("source", "u1", (reader.source_width,))])
    depths = []
    for block in reader:
        rows = np.empty(len(block.depths), record)
        rows["depth"], rows["pixels"], rows["source"] = (
            block.depths,
            resize(block.pixels),
            block.pixels,
        )
        file.write(rows.data)
        depths.append(block.depths)
    file.flush()
    return np.concatenate(depths)


def _order(depths: NDArray[np.float64]) -> NDArray[np.intp] | None:
    """Return which rows to take to have each depth once, ascending; None when all as they stand."""
    if (depths[1:] > depths[:-1]).all():
        return None
    order = np.argsort(depths, kind="stable")
    ascending = depths[order]
    return np.append(order[:-1][ascending[1:] > ascending[:-1]], order[-1])


def _rewrite(source: IO[bytes], target: IO[bytes], order: NDArray[np.intp], rows: int) -> None:
    with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as pages:
        size = len(pages) // rows
        records = np.frombuffer(pages, f"V{size}")
        for start in range(0, len(order), _rows_in_block(size)):
            target.write(records[order[start : start + _rows_in_block(size)]].data)
            pages.madvise(mmap.MADV_DONTNEED)  # or the whole file would count as this process's memory
        del records  # which would keep the mapping open


def _rows_in_block(size: int) -> int:
    return max(1, BLOCK_BYTES // size)
