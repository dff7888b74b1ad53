"""Read a depth log's lines cell by cell: exact, able to explain itself, and the reference for ``digits``.

No valid cell holds a comma or a line end, so cutting at every one of them is right for every valid file,
and an unclosed quote can never swallow more than its own line.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imgpipe.scanlines.faults import Faults

# Far above 10,000 cells of honest length; what bounds the memory that one line can take.
LINE_BYTES = 1 << 20
A_DEPTH = "a finite number"
A_PIXEL = "a whole number from 0 to 255"

# Possessive, so that no text can make them backtrack.
_DEPTH = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_PIXEL = re.compile(r"([0-9]{1,3})(?:\.0++)?")
# The spellings that nearly every cell has; the pattern is asked about the others only.
_PIXELS = {spelling: n for n in range(256) for spelling in (f"{n}", f"{n}.0", f'"{n}"', f'"{n}.0"')}

Problem = tuple[str | None, str, str]


@dataclass(frozen=True, slots=True)
class Block:
    """Rows in the order of the file: ``depths`` float64 (n,), ``pixels`` uint8 (n, source width)."""

    depths: NDArray[np.float64]
    pixels: NDArray[np.uint8]


def parse_lines(chunk: bytes, first_line: int, columns: Sequence[str], faults: Faults) -> tuple[Block, int]:
    """Read whole lines into a block and the number of blank ones; bad lines go to ``faults`` instead."""
    depths: list[float] = []
    pixels = bytearray()
    blank = 0
    if is_blank(chunk.replace(b"\n", b",")):  # or a file of nothing else would take minutes
        blank, chunk = chunk.count(b"\n"), b""
    for number, line in enumerate(chunk.split(b"\n")[:-1], first_line):
        if is_blank(line):
            blank += 1
        elif (row := parse_line(line, len(columns))) is not None:
            depths.append(row[0])
            pixels += row[1]
        else:
            for problem in explain_line(line, columns):
                faults.note(number, *problem)
    shape = (len(depths), len(columns) - 1)
    return Block(np.array(depths, np.float64), np.frombuffer(pixels, np.uint8).reshape(shape)), blank


def is_blank(line: bytes) -> bool:
    """Tell whether the line is empty or made of empty cells only."""
    return not line.replace(b'""', b"").strip(b" \t\r,")


def parse_line(line: bytes, width: int) -> tuple[float, bytes] | None:
    """Read a line of ``width`` cells as depth and pixels; None when anything about it is wrong."""
    first, *others = split(line)
    if len(line) > LINE_BYTES or len(others) != width - 1:
        return None
    depth = parse_depth(first)
    pixels = list(map(_PIXELS.get, others))
    if None in pixels:
        pixels = list(map(parse_pixel, others))
    if depth is None or None in pixels:
        return None
    return depth, bytes(pixels)  # type: ignore[arg-type]  # no None is left


def explain_line(line: bytes, columns: Sequence[str]) -> Iterator[Problem]:
    """Say what is wrong with a line that ``parse_line`` refused: column, found, expected."""
    problem = explain_shape(line, len(columns))
    if problem:
        yield problem
    else:
        yield from explain_cells(split(line), columns, parse_pixel, A_PIXEL)


def explain_shape(line: bytes, width: int) -> Problem | None:
    """Say what is wrong with a line as a whole: too long, a quote left open, or not ``width`` cells."""
    if len(line) > LINE_BYTES:
        return None, "a longer line", f"at most {LINE_BYTES:,} bytes a line"
    cells = split(line)
    if line.count(b'"') % 2:
        found = next(cell for cell in cells if cell.count('"') % 2)
        return None, found, "every quote closed on its own line"
    return (None, f"{len(cells)} cells", f"{width} cells") if len(cells) != width else None


def explain_cells(
    cells: Sequence[str], columns: Sequence[str], parse: Callable[[str], float | None], expected: str
) -> Iterator[Problem]:
    """Say which cells are wrong: the depth, and those that ``parse`` makes nothing of."""
    if parse_depth(cells[0]) is None:
        yield columns[0], cells[0], A_DEPTH
    for name, cell in zip(columns[1:], cells[1:], strict=True):
        if parse(cell) is None:
            yield name, cell, expected


def parse_depth(cell: str) -> float | None:
    """Read a finite decimal number exactly as ``float()`` does, -0.0 as 0.0; None for anything else."""
    text = bare(cell)
    depth = float(text) if _DEPTH.fullmatch(text) else math.nan
    return depth + 0.0 if math.isfinite(depth) else None


def parse_pixel(cell: str) -> int | None:
    """Read a whole number from 0 to 255, spelled like ``7``, ``007`` or ``7.0``; None for anything else."""
    if cell in _PIXELS:
        return _PIXELS[cell]
    match = _PIXEL.fullmatch(bare(cell))
    value = int(match[1]) if match else 256
    return value if value < 256 else None


def split(line: bytes) -> list[str]:
    """Cut a line at its commas."""
    return line.removesuffix(b"\r").decode("utf-8", "replace").split(",")


def bare(cell: str) -> str:
    """Take off blanks, one pair of quotes and the blanks inside."""
    text = cell.strip(" \t")
    return text[1:-1].strip(" \t") if len(text) > 1 and text[0] == text[-1] == '"' else text
