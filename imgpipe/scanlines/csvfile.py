"""Read depth logs: CSV in, blocks of rows out, however large the file is.

``digits`` reads the plain chunks quickly, ``cells`` the others exactly; where cells are not pixels, ``reals``
and ``realcells`` do so. What is wrong ends up in ``faults``.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Generic, TypeVar

from imgpipe.scanlines import cells, digits, headers, realcells, reals
from imgpipe.scanlines.cells import LINE_BYTES, Block
from imgpipe.scanlines.faults import Faults
from imgpipe.scanlines.realcells import Rules, Values

# What is stored of a row takes forty times the bytes of the shortest line: a file must not fill the disk.
ROWS = 20_000_000
# Small enough that the arrays of one chunk stay in the processor's second cache.
CHUNK_BYTES = 192 << 10
# Large enough that the C library's allocator, which learns from what is freed, keeps the arrays' memory
# from chunk to chunk instead of handing it back each time: that alone makes reading three times as fast.
READ_BYTES = 1 << 20


Read = TypeVar("Read", Block, Values)
Quick = Callable[[bytes, int], Read | None]
Exact = Callable[[bytes, int, Sequence[str], Faults], tuple[Read, int]]


class Reader(Generic[Read]):
    """Iterate once over the blocks of a depth log; the header has been read and found good before.

    ``columns`` are the header's names, ``source_width`` the number of pixels in a row, ``depth_unit`` the
    unit that the header gives to depths, if any; ``rows`` and ``skipped`` (blank lines) are complete after
    the iteration. A block holds what 192 KiB of text held. After the first fault no block comes any more, but
    the rest is still read for the report.
    """

    lasting = False

    def __init__(self, stream: BinaryIO, quick: Quick[Read], exact: Exact[Read]) -> None:
        self._stream = stream
        self._quick: Quick[Read] = quick
        self._exact: Exact[Read] = exact
        self._faults = Faults()
        header = headers.read(stream, self._faults)
        self.columns, self.depth_unit = header.columns, header.depth_unit
        self._delimiter = header.delimiter
        self.source_width = len(self.columns) - 1
        self.rows = self.skipped = 0

    def __iter__(self) -> Iterator[Read]:
        """Yield the blocks in the order of the file.

        Raises: InvalidCsv at the end of the file when it has faults or no rows.
        """
        line = 2
        for chunk in _chunks(self._stream):
            plain = headers.with_commas(chunk, self._delimiter)
            found: Read | None = self._quick(plain, self.source_width)
            block: Read = found or self._read_exactly(plain, line)
            line += len(found.depths) if found else chunk.count(b"\n")
            self.rows += len(block.depths)
            self._bound(line)
            if len(block.depths) and not self._faults.count:
                yield block
        if not self.rows and not self._faults.count:
            self._faults.note(line, None, "no rows", "at least one row")
        self._faults.refuse()

    def _read_exactly(self, chunk: bytes, line: int) -> Read:
        read: tuple[Read, int] = self._exact(chunk, line, self.columns, self._faults)
        self.skipped += read[1]
        return read[0]

    def _bound(self, line: int) -> None:
        if self.rows > ROWS:
            self._faults.note(line, None, f"more than {ROWS:,} rows", f"at most {ROWS:,} rows a file")
            self._faults.refuse()


def read(stream: BinaryIO) -> Reader[Block]:
    """Open a depth log of whole numbers from 0 to 255; ``stream`` is read once, from where it stands on.

    Raises: InvalidCsv when the header is not one: at once, with this single fault.
    """
    return Reader(stream, digits.parse, cells.parse_lines)


def read_values(stream: BinaryIO, rules: Rules) -> Reader[Values]:
    """Open a depth log of what the rules allow. Raises: as ``read`` does."""

    def quick(chunk: bytes, source_width: int) -> Values | None:
        return reals.parse(chunk, source_width, rules)

    def exact(chunk: bytes, line: int, columns: Sequence[str], faults: Faults) -> tuple[Values, int]:
        return realcells.parse_lines(chunk, line, columns, rules, faults)

    return Reader(stream, quick, exact)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield whole lines, about ``CHUNK_BYTES`` at a time; an endless line is cut just past the limit."""
    rest = b""
    while data := stream.read(READ_BYTES):
        data = rest + data
        start = 0
        while end := _find_cut(data, start):
            yield data[start:end]
            start = end
        rest = data[start : start + LINE_BYTES + 1]
    if rest:
        yield rest + b"\n"


def _find_cut(data: bytes, start: int) -> int:
    """Return where the last line that fits in a chunk ends, or else the next one; 0 when none does."""
    return (data.rfind(b"\n", start, start + CHUNK_BYTES) + 1) or (data.find(b"\n", start) + 1)
