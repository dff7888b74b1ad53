"""Hold the rows of one CSV ready for the database: checked, in depth order, each depth once.

All of that happens in temp files without a name, before anything is locked: memory stays small however long
the file is, and a process that dies leaves nothing behind.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from imgpipe.depthlogs.lines import Lines, block_rows, lines_of
from imgpipe.depthlogs.sorting import Runs, depths_of, merge
from imgpipe.depthlogs.spacing import median_step
from imgpipe.depthlogs.spool import Spool
from imgpipe.scanlines import csvfile
from imgpipe.scanlines.csvfile import Reader
from imgpipe.scanlines.rows import Depths

DEPTHS_READ = 1 << 16


class Staged:
    """Iterate over the rows, as many at a time as make a block; any number of times."""

    def __init__(self, spool: Spool, reader: Reader) -> None:
        self._spool = spool
        self.rows = spool.rows
        self.skipped = reader.skipped
        self.duplicates = reader.rows - spool.rows
        self.source_width = reader.source_width
        self.depth_min = float(depths_of(spool, 0, 1)[0])
        self.depth_max = float(depths_of(spool, self.rows - 1, self.rows)[0])
        self.depth_step = median_step(self.rows, self._depths)

    def __iter__(self) -> Iterator[Lines]:
        rows = block_rows(self.source_width)
        for start in range(0, self.rows, rows):
            end = start + rows
            yield lines_of(depths_of(self._spool, start, end), self._spool.read(start, end, 1))

    def _depths(self) -> Iterator[Depths]:
        for start in range(0, self.rows, DEPTHS_READ):
            yield depths_of(self._spool, start, start + DEPTHS_READ)


@contextmanager
def stage(stream: BinaryIO, folder: Path) -> Iterator[Staged]:
    """Read a CSV to its end and hold its rows for the length of the block, on the disk of ``folder``.

    Where a depth comes twice, the last line wins. Raises: ``InvalidCsv``.
    """
    reader = csvfile.read(stream)
    sizes = (8, reader.source_width)
    with Spool(folder, sizes) as arrived:
        runs = Runs(arrived, sum(sizes))
        for block in reader:
            runs.add(block.depths, block.pixels)
        runs.finish()
        if len(runs.ends) == 1:
            yield Staged(arrived, reader)
            return
        with Spool(folder, sizes) as ordered:
            for rows in merge(arrived, runs.ends, sum(sizes)):
                ordered.append(rows)
            ordered.flush()
            arrived.close()
            yield Staged(ordered, reader)
