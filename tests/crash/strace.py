"""Read what a process did to the disk, by the system calls that ``strace`` writes down."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

# Every call by which a file, a folder or what is in them can change or become durable.
CHANGING = (
    "openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,"
    "rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,mkdir,mkdirat,symlink,symlinkat,"
    "fsync,fdatasync,sync,syncfs,lseek,mmap,copy_file_range,sendfile"
)
LONGEST = 4 * 2**20  # of the bytes that one call may write
_CALL = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+|\?)")
_ARGUMENT = re.compile(
    r"(?P<fd>-?\d+|AT_FDCWD)<(?P<path>[^<>]*)>(?P<gone>\(deleted\))?"
    r'|"(?P<text>[^"]*)"(?P<cut>\.\.\.)?|(?P<word>[^,\s"<>{}\[\]]+)'
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A file descriptor, and the path that it stood for at the call; ``gone``: of a file without a name."""

    number: int
    path: str
    gone: bool


@dataclass(frozen=True, slots=True)
class Call:
    """One call that succeeded: its arguments, and what it returned."""

    name: str
    arguments: tuple[Opened | bytes | str, ...]
    result: int
    opened: Opened | None = None

    def file(self, place: int = 0) -> Opened:
        """Return an argument that is a descriptor."""
        argument = self.arguments[place]
        assert isinstance(argument, Opened), self
        return argument

    def text(self, place: int) -> bytes:
        """Return an argument that is bytes."""
        argument = self.arguments[place]
        assert isinstance(argument, bytes), self
        return argument

    def number(self, place: int) -> int:
        """Return an argument that is a number."""
        return int(str(self.arguments[place]), 0)

    def has(self, flag: str) -> bool:
        """Tell whether a word stands among the flags."""
        return any(isinstance(word, str) and flag in word.split("|") for word in self.arguments)


def find() -> str:
    """Return the program's path; without it, skip the test, or fail it on CI."""
    program = shutil.which("strace")
    if program:
        return program
    reason = "strace is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def attached(pid: int, output: Path, *options: str) -> Iterator[None]:
    """Follow a process and all its threads for the length of a block, or to its end."""
    command = [find(), "-f", "-y", "-xx", "-s", str(LONGEST), "-o", str(output), *options, "-p", str(pid)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        assert "attached" in said, said
        yield
    finally:
        process.terminate()
        process.communicate()


def read(output: Path) -> list[Call]:
    """List the calls that succeeded, in the order in which they returned."""
    return [call for line in _whole_lines(output) if (call := _parse(line))]


def _whole_lines(output: Path) -> Iterator[str]:
    """Put the two halves of a call together that another thread's came in between."""
    begun: dict[str, str] = {}
    with output.open(encoding="ascii") as lines:
        for line in lines:
            thread, _, rest = line.rstrip("\n").partition(" ")
            rest = rest.lstrip()
            if rest.endswith("<unfinished ...>"):
                begun[thread] = rest.removesuffix("<unfinished ...>")
            elif rest.startswith("<... "):
                yield begun.pop(thread, "") + rest.partition(" resumed>")[2]
            else:
                yield rest


def _parse(line: str) -> Call | None:
    match = _CALL.match(line)
    if match is None or match[3].startswith(("-", "?")):
        return None
    arguments = tuple(map(_argument, _ARGUMENT.finditer(match[2])))
    opened = _ARGUMENT.match(line, match.start(3))
    result = _argument(opened) if opened and opened["path"] is not None else None
    return Call(match[1], arguments, int(match[3]), result if isinstance(result, Opened) else None)


def _argument(match: re.Match[str]) -> Opened | bytes | str:
    if match["path"] is not None:
        number = -1 if match["fd"] == "AT_FDCWD" else int(match["fd"])
        return Opened(number, os.fsdecode(_bytes(match["path"])), bool(match["gone"]))
    if match["text"] is not None:
        assert not match["cut"], f"a call wrote more than {LONGEST} bytes"
        return _bytes(match["text"])
    return str(match["word"])


def _bytes(text: str) -> bytes:
    """Read ``\\x41\\x42``; what is no file (``pipe:[7]``) is told as it stands."""
    return bytes.fromhex(text.replace("\\x", "")) if text.startswith("\\x") else text.encode()
