"""Read the header of a depth log: what stands between cells, the columns, and the unit of depth."""

import csv
import re
from typing import BinaryIO, NamedTuple

from imgpipe.scanlines import units
from imgpipe.scanlines.cells import LINE_BYTES, Problem
from imgpipe.scanlines.faults import Faults

SOURCE_WIDTH = 10_000
COMMA, SEMICOLON, TAB = ",", ";", "\t"
# What people upload instead of a CSV, by its first bytes.
_FOREIGN = {
    b"\x1f\x8b": "gzip data",
    b"PK\x03\x04": "a zip file or spreadsheet",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
_DECIMAL_COMMA = re.compile(rb'"([ \t]*[+-]?[0-9]+),([0-9]+[ \t]*)"')


class Header(NamedTuple):
    """The names without the blanks around them, what stands between them, and the unit of depth if given."""

    columns: tuple[str, ...]
    delimiter: str
    depth_unit: str | None


def read(stream: BinaryIO, faults: Faults) -> Header:
    """Read the first line. Raises: InvalidCsv when it is not the header of a depth log."""
    line = stream.readline(LINE_BYTES + 1)
    problem = _judge_bytes(line)
    found = None if problem else _split(line)
    problem = problem or _judge(found)
    if problem or found is None:
        faults.note(1, *(problem or (None, "no header", "a header")))
        faults.refuse()
        raise AssertionError("a fault that was no fault")
    columns, delimiter = found
    spelling = (units.split_header(columns[0]) or (None,))[0]
    return Header(columns, delimiter, None if spelling is None else units.recognise(spelling))


def with_commas(chunk: bytes, delimiter: str) -> bytes:
    """Write lines with commas between cells and points in numbers.

    A decimal comma is one between semicolons or tabs; between commas it is one within quotes.
    """
    if delimiter != COMMA:
        return chunk.replace(b",", b".").replace(delimiter.encode(), b",")
    return _DECIMAL_COMMA.sub(rb'"\1.\2"', chunk) if b'"' in chunk else chunk


def _judge_bytes(line: bytes) -> Problem | None:
    for magic, kind in _FOREIGN.items():
        if line.startswith(magic):
            return None, kind, "CSV as UTF-8 text"
    if b"\0" in line:
        return None, "binary data", "CSV as UTF-8 text"
    if b"\r" in line.rstrip(b"\r\n"):
        return None, "a CR inside", "lines that end with LF or CRLF"
    if max(line.count(delimiter.encode()) for delimiter in (COMMA, SEMICOLON, TAB)) > SOURCE_WIDTH:
        return None, f"more than {SOURCE_WIDTH:,} pixel columns", f"1 to {SOURCE_WIDTH:,}"
    if len(line) > LINE_BYTES:
        return None, "a longer line", f"at most {LINE_BYTES:,} bytes a line"
    return None


def _split(line: bytes) -> tuple[tuple[str, ...], str] | None:
    """Cut at what follows a first column that is depth, or else at commas; None if this is no line of CSV."""
    for delimiter in (COMMA, SEMICOLON, TAB):
        names = _cut(line, delimiter)
        if names and units.split_header(names[0]) is not None:
            return names, delimiter
    names = _cut(line, COMMA)
    return (names, COMMA) if names else None


def _cut(line: bytes, delimiter: str) -> tuple[str, ...]:
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
        reader = csv.reader([text], strict=True, skipinitialspace=True, delimiter=delimiter)
        return tuple(name.strip() for name in next(reader))
    except (UnicodeDecodeError, csv.Error, StopIteration):
        return ()


def _judge(found: tuple[tuple[str, ...], str] | None) -> Problem | None:
    if found is None:
        return None, "no header", "a line of column names in UTF-8, each quote closed on it"
    first, *others = found[0]
    unit = units.split_header(first)
    if unit is None:
        return first, first, "depth as the first column, and comma, semicolon or tab between cells"
    if unit[0] is not None and units.recognise(unit[0]) is None:
        return first, first, f"depth in one of {', '.join(units.METRES)}, such as depth[ft]"
    if "depth" in map(str.lower, others):
        return "depth", "depth again", "one column of this name"
    if not others:
        return None, "no pixel columns", f"1 to {SOURCE_WIDTH:,}"
    return None
