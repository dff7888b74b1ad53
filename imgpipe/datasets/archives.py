"""Write archives as streams, in constant memory: the same files give the same bytes.

A zip's list of contents comes last. It waits in a temporary file, not in memory. Pictures and their texts
don't shrink further, so files are stored as they are, with their sums in front of them. The format is that of
PKWARE's APPNOTE 6.3.10; whatever does not fit 32 bits takes its 64-bit fields, and only then.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from tarfile import BLOCKSIZE, LENGTH_NAME, RECORDSIZE
from tempfile import SpooledTemporaryFile
from typing import IO, NamedTuple

CHUNK = 2**20
SMALL = 2**12  # bytes that are sooner copied than handed on by themselves
IN_MEMORY = 2**20
FULL16, FULL32 = 0xFFFF, 0xFFFFFFFF
_PLAIN, _LARGE = 20, 45  # the versions of the format that know no 64-bit fields, and that do
_DATE = 0x21  # 1 January 1980, the first that a zip can tell: no time of ours may change the bytes
_UNIX_FILE = 0o100644 << 16
# POSIX.1-1988 (ustar): name, mode, owner, group, size, time, sum, kind, link, magic; the rest stays empty.
_TAR = struct.Struct("100s8s8s8s12s12s8s1s100s8s247x")
_NOBODY = b"0000000\0"


class File(NamedTuple):
    """One file of an archive; ``content`` is its bytes, or a stream that is read from its beginning.

    ``crc`` is its CRC-32 where that is known.
    """

    name: str
    content: bytes | IO[bytes]
    mtime: int = 0
    crc: int | None = None

    @property
    def size(self) -> int:
        """Return its length, bytes."""
        if isinstance(self.content, bytes):
            return len(self.content)
        return self.content.seek(0, 2)

    def chunks(self) -> Iterator[bytes]:
        """Yield its content in pieces of at most a megabyte."""
        if isinstance(self.content, bytes):
            yield self.content
            return
        self.content.seek(0)
        while chunk := self.content.read(CHUNK):
            yield chunk


def tar(files: Iterable[File]) -> Iterator[bytes]:
    """Yield a tar (ustar) piece by piece; names of at most 100 ASCII characters."""
    written = 0
    for piece in members(files):
        yield piece
        written += len(piece)
    yield end_of_tar(written)


def members(files: Iterable[File]) -> Iterator[bytes]:
    """Yield the members of a tar."""
    for file in files:
        padding = bytes(-file.size % BLOCKSIZE)
        if file.size < SMALL and isinstance(file.content, bytes):
            yield b"%b%b%b" % (_tar_header(file), file.content, padding)
            continue
        yield _tar_header(file)
        yield from file.chunks()
        yield padding


def _tar_header(file: File) -> bytes:
    """Write what ``tarfile`` writes of a plain file, in an eighth of its time."""
    name, size, mtime = file.name.encode("ascii"), b"%011o\0" % file.size, b"%011o\0" % file.mtime
    if len(name) > LENGTH_NAME or len(size + mtime) > 24:
        raise ValueError(f"{file.name} does not fit a tar")
    header = _TAR.pack(name, b"0000644\0", _NOBODY, _NOBODY, size, mtime, b" " * 8, b"0", b"", b"ustar\x0000")
    total = (zlib.adler32(header) & 0xFFFF) - 1  # the sum of all bytes, which in ASCII is far below 65,521
    return b"%b%06o\0%b" % (header[:148], total, header[155:])


def end_of_tar(written: int) -> bytes:
    """Return what ends a tar whose members take ``written`` bytes."""
    return bytes(2 * BLOCKSIZE + -(written + 2 * BLOCKSIZE) % RECORDSIZE)


def zipped(files: Iterable[File]) -> Iterator[bytes]:
    """Yield a zip piece by piece; names in ASCII."""
    offset = count = 0
    with SpooledTemporaryFile(IN_MEMORY) as contents:
        for file in files:
            entry = _Entry(file.name.encode("ascii"), file.size, _sum(file))
            contents.write(entry.listed(offset))
            header = entry.header()
            yield header
            yield from file.chunks()
            offset += len(header) + entry.size
            count += 1
        size = contents.tell()
        yield from File("", contents).chunks()
    yield _end(count, size, offset)


def _sum(file: File) -> int:
    if file.crc is not None:
        return file.crc
    total = 0
    for chunk in file.chunks():
        total = zlib.crc32(chunk, total)
    return total


@dataclass(frozen=True, slots=True)
class _Entry:
    name: bytes
    size: int
    crc: int

    def header(self) -> bytes:
        """Return what stands before the content."""
        extra = struct.pack("<HHQQ", 1, 16, self.size, self.size) if self.size >= FULL32 else b""
        return b"PK\3\4" + self._fields(extra, self.size >= FULL32) + self.name + extra

    def listed(self, offset: int) -> bytes:
        """Return the line in the list of contents; ``offset`` is where the header stands."""
        wide = [self.size, self.size] * (self.size >= FULL32) + [offset] * (offset >= FULL32)
        extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
        made_by = 3 << 8 | _LARGE  # Unix, for the mode of the file
        behind = struct.pack("<HHHLL", 0, 0, 0, _UNIX_FILE, min(offset, FULL32))
        fields = self._fields(extra, bool(wide))
        return b"PK\1\2" + struct.pack("<H", made_by) + fields + behind + self.name + extra

    def _fields(self, extra: bytes, large: bool) -> bytes:
        size = min(self.size, FULL32)
        version = _LARGE if large else _PLAIN
        lengths = len(self.name), len(extra)
        return struct.pack("<HHHHHLLLHH", version, 0, 0, 0, _DATE, self.crc, size, size, *lengths)


def _end(count: int, size: int, offset: int) -> bytes:
    few, short, near = min(count, FULL16), min(size, FULL32), min(offset, FULL32)
    end = b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, few, few, short, near, 0)
    if count < FULL16 and size < FULL32 and offset < FULL32:
        return end
    fields = struct.pack("<QHHLLQQQQ", 44, _LARGE, _LARGE, 0, 0, count, count, size, offset)
    return b"PK\6\6" + fields + b"PK\6\7" + struct.pack("<LQL", 0, offset + size, 1) + end
