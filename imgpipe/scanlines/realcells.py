"""Read lines of real numbers cell by cell: exact, able to explain itself, and the reference for ``reals``."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imgpipe.scanlines import cells
from imgpipe.scanlines.cells import A_DEPTH, A_PIXEL
from imgpipe.scanlines.faults import Faults
from imgpipe.scanlines.rows import Depths

Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a cell may be: with ``real`` any finite number, else a whole one from 0 to 255.

    Beside these, one of ``nulls``, and with ``missing`` nothing at all, both of which make a hole.
    """

    real: bool = False
    nulls: tuple[float, ...] = ()
    missing: bool = False

    @property
    def plain(self) -> bool:
        """Tell whether every cell is a pixel, so that ``cells`` and ``digits`` read them."""
        return not (self.real or self.nulls or self.missing)

    @property
    def expected(self) -> str:
        """Say what a cell may be."""
        others = [f"{null:g}" for null in self.nulls] + ["an empty cell"] * self.missing
        return " or ".join([A_DEPTH if self.real else A_PIXEL, *others])

    def blank(self, values: Reals) -> Reals:
        """Set the nulls among fresh values to NaN, in place."""
        for null in self.nulls:
            values[values == null] = np.nan
        return values

    def accept(self, values: Reals) -> bool:
        """Tell whether values, NaN for holes, are what they may be; where holes come from is not seen."""
        if self.real:
            return True
        with np.errstate(invalid="ignore"):
            wrong = (values < 0) | (values > 255) | (values != np.rint(values))
        return not (wrong & ~np.isnan(values)).any()


@dataclass(frozen=True, slots=True)
class Values:
    """Rows in the order of the file: ``depths`` float64 (n,), ``values`` float64 (n, w), NaN for holes."""

    depths: Depths
    values: Reals


def parse_lines(
    chunk: bytes, first_line: int, columns: Sequence[str], rules: Rules, faults: Faults
) -> tuple[Values, int]:
    """Read whole lines into values and the number of blank ones; bad lines go to ``faults`` instead."""
    depths: list[float] = []
    values: list[list[float]] = []
    blank = 0
    if cells.is_blank(chunk.replace(b"\n", b",")):  # or a file of nothing else would take minutes
        blank, chunk = chunk.count(b"\n"), b""
    for number, line in enumerate(chunk.split(b"\n")[:-1], first_line):
        if cells.is_blank(line):
            blank += 1
        elif (row := parse_line(line, len(columns), rules)) is not None:
            depths.append(row[0])
            values.append(row[1])
        else:
            _explain(line, number, columns, rules, faults)
    shape = (len(depths), len(columns) - 1)
    return Values(np.array(depths, np.float64), np.array(values, np.float64).reshape(shape)), blank


def parse_line(line: bytes, width: int, rules: Rules) -> tuple[float, list[float]] | None:
    """Read a line of ``width`` cells as depth and values; None when anything about it is wrong."""
    if cells.explain_shape(line, width):
        return None
    first, *others = cells.split(line)
    depth = cells.parse_depth(first)
    values = [parse_value(cell, rules) for cell in others]
    if depth is None or None in values:
        return None
    return depth, values  # type: ignore[return-value]  # no None is left


def parse_value(cell: str, rules: Rules) -> float | None:
    """Read a cell by the rules: NaN for a hole, None for what it may not be."""
    if rules.missing and not cells.bare(cell):
        return math.nan
    value = cells.parse_depth(cell)
    if value is None or value in rules.nulls:
        return None if value is None else math.nan
    fits = rules.real or (0 <= value <= 255 and value.is_integer())
    return value if fits else None


def _explain(line: bytes, number: int, columns: Sequence[str], rules: Rules, faults: Faults) -> None:
    problem = cells.explain_shape(line, len(columns))
    if problem:
        faults.note(number, *problem)
        return
    wrong = cells.explain_cells(
        cells.split(line), columns, lambda cell: parse_value(cell, rules), rules.expected
    )
    for each in wrong:
        faults.note(number, *each)
