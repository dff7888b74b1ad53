"""Hold the rows of one upload ready for the database: checked, in depth order, each depth once.

All of that happens in temp files without a name, before anything is locked: memory stays small however long
the file is, and a process that dies leaves nothing behind.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from imgpipe.depthlogs.lines import Bytes, Lines, block_rows, lines_of
from imgpipe.depthlogs.sorting import Runs, depths_of, merge
from imgpipe.depthlogs.spacing import median_step
from imgpipe.depthlogs.spool import Spool
from imgpipe.depthlogs.terms import Terms
from imgpipe.scanlines.cells import Block
from imgpipe.scanlines.realcells import Reals, Values
from imgpipe.scanlines.rows import Depths, Grey, Mask
from imgpipe.scanlines.scale import Scale, Wanted
from imgpipe.scanlines.survey import Survey

DEPTHS_READ = 1 << 16
VALUES_READ = 1 << 20  # bytes

Greys = tuple[Depths, Grey, Mask | None]


class Source(Protocol):
    """Iterate over rows as they come, only once unless ``lasting``; the numbers are complete after that."""

    source_width: int
    rows: int
    skipped: int
    lasting: bool

    def __iter__(self) -> Iterator[Block | Values]: ...


class Staged:
    """Iterate over the rows, as many at a time as make a block; any number of times.

    ``terms`` hold the scale that was found; ``clipped`` values were outside of it.
    """

    def __init__(self, spool: Spool, source: Source, terms: Terms, clipped: int) -> None:
        self._spool = spool
        self.terms = terms
        self.rows = spool.rows
        self.skipped = source.skipped
        self.duplicates = source.rows - spool.rows
        self.clipped = clipped
        self.source_width = source.source_width
        self.depth_min = float(depths_of(spool, 0, 1)[0])
        self.depth_max = float(depths_of(spool, self.rows - 1, self.rows)[0])
        self.depth_step = median_step(self.rows, self._depths)

    def __iter__(self) -> Iterator[Lines]:
        rows, width = block_rows(self.source_width), self.source_width
        for start in range(0, self.rows, rows):
            end = start + rows
            cells = self._spool.read(start, end, 1)
            bits = cells[:, width:] if cells.shape[1] > width else None
            yield lines_of(depths_of(self._spool, start, end), cells[:, :width], bits)

    def _depths(self) -> Iterator[Depths]:
        for start in range(0, self.rows, DEPTHS_READ):
            yield depths_of(self._spool, start, start + DEPTHS_READ)


class _Greys:
    """Iterate over an upload as (depths, grey, holes), and count the values that are clipped."""

    def __init__(self, blocks: Iterable[Block | Values], scale: Scale | None) -> None:
        self._blocks, self._scale = blocks, scale
        self.clipped = 0

    def __iter__(self) -> Iterator[Greys]:
        for block in self._blocks:
            if isinstance(block, Block):
                yield block.depths, block.pixels, None
                continue
            if self._scale is None:
                holes = np.isnan(block.values)
                grey = np.where(holes, 0, block.values).astype(np.uint8)
                yield block.depths, grey, holes
                continue
            grey, some, clipped = self._scale.to_grey(block.values)
            self.clipped += clipped
            yield block.depths, grey, some


@contextmanager
def stage(source: Source, terms: Terms, folder: Path) -> Iterator[Staged]:
    """Read an upload to its end and hold its rows for the length of the block, on the disk of ``folder``.

    Where a depth comes twice, the last line wins. Raises: ``InvalidCsv``, ``InvalidParameter``.
    """
    if not isinstance(terms.scale, Wanted):
        with _sorted(_Greys(source, terms.scale), source, terms, folder) as staged:
            yield staged
        return
    with Spool(folder, (8, 8 * source.source_width)) as kept:
        survey = Survey(terms.scale)
        for block in source:
            assert isinstance(block, Values)
            survey.add(block.values)
            if not source.lasting:
                kept.append((block.depths, block.values))
        kept.flush()
        scale = survey.find(lambda: (block.values for block in _again(source, kept)))
        greys = _Greys(_again(source, kept), scale)
        with _sorted(greys, source, replace(terms, scale=scale), folder) as staged:
            yield staged


@contextmanager
def _sorted(greys: _Greys, source: Source, terms: Terms, folder: Path) -> Iterator[Staged]:
    bits = 0 if terms.rules.plain else -(-source.source_width // 8)
    sizes = (8, source.source_width + bits)
    with Spool(folder, sizes) as arrived:
        runs = Runs(arrived, sum(sizes))
        for depths, grey, holes in greys:
            runs.add(depths, _pack(grey, holes) if bits else grey)
        runs.finish()
        if len(runs.ends) == 1:
            yield Staged(arrived, source, terms, greys.clipped)
            return
        with Spool(folder, sizes) as ordered:
            for rows in merge(arrived, runs.ends, sum(sizes)):
                ordered.append(rows)
            ordered.flush()
            arrived.close()
            yield Staged(ordered, source, terms, greys.clipped)


def _pack(grey: Grey, holes: Mask | None) -> Bytes:
    """Put bits of the holes behind the greys of each row."""
    rows, width = grey.shape
    packed = np.zeros((rows, width + -(-width // 8)), np.uint8)
    packed[:, :width] = grey
    if holes is not None:
        packed[:, width:] = np.packbits(holes, axis=1)
    return packed


def _again(source: Source, kept: Spool) -> Iterator[Values]:
    """Yield the values once more, those that were put aside if need be."""
    if source.lasting:
        yield from (block for block in source if isinstance(block, Values))
        return
    rows = max(1, VALUES_READ // kept.sizes[1])
    for start in range(0, kept.rows, rows):
        values: Reals = kept.read(start, start + rows, 1).view(np.float64)
        yield Values(depths_of(kept, start, start + rows), values)
