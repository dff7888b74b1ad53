"""Have LAS and DLIS files read by a child process with limits, which gets the file and nothing else."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from imgpipe.errors import InvalidLog
from imgpipe.text import clean_text
from imgpipe.wells.contents import Channel, Frame, frame_from

# So many values are taken over at once: few enough that their arrays stay in the processor's cache.
BLOCK_VALUES = 1 << 15
HEAD_BYTES = 4_096
EXTRA = "wells"
_READERS = {"las": "lasio", "dlis": "dlisio"}
# Before anything is imported come the limits; and of the package only this room, not the service.
_BEGIN = """
import resource, sys, types
for what, limit in (("AS", {memory_bytes}), ("CPU", {seconds}), ("CORE", 0)):
    resource.setrlimit(getattr(resource, "RLIMIT_" + what), (limit, limit))
package = types.ModuleType("imgpipe")
package.__path__ = [{package!r}]
sys.modules["imgpipe"] = package
from imgpipe.wells.{kind} import open_file
from imgpipe.wells.child import main
main(open_file)
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child process may take: bytes of address space, and seconds, of the clock and of a processor."""

    memory_bytes: int = 2 << 30
    seconds: int = 300


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Extract:
    """One channel of a file, its rows in ascending depth; ``null`` is what the file has for no value."""

    frame: Frame
    channel: Channel
    null: float | None
    depths: NDArray[np.float64]
    file: IO[bytes]

    def blocks(self) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Yield depths, float64 (n,), and values, float64 (n, width), NaN for null and what is not finite."""
        kind = np.dtype(self.channel.kind)
        width = self.channel.width
        rows = max(1, BLOCK_VALUES // width)
        self.file.seek(self.depths.nbytes)
        for start in range(0, len(self.depths), rows):
            depths = self.depths[start : start + rows]
            found = np.frombuffer(self.file.read(len(depths) * width * kind.itemsize), kind)
            values = found.astype(np.float64)
            values[~np.isfinite(values)] = np.nan
            if self.null is not None:
                values[found == self.null] = np.nan
            yield depths, values.reshape(len(depths), width)


def recognise(head: bytes) -> str | None:
    """Tell by the first 4,096 bytes whether a file is ``las`` or ``dlis``; None if neither."""
    if head[4:9] in (b"V1.00", b"V2.00") and head[9:15] == b"RECORD":  # the storage unit label, RP66
        return "dlis"
    for line in head.removeprefix(b"\xef\xbb\xbf").splitlines():
        if line.strip() and not line.lstrip().startswith(b"#"):
            return "las" if line.lstrip()[:2].upper() == b"~V" else None
    return None


def inspect(stream: BinaryIO, kind: str, folder: Path, limits: Limits = LIMITS) -> list[Frame]:
    """List the frames of a file. Raises: InvalidLog."""
    with _on_disk(stream, folder) as source:
        answer = _ask(kind, {"what": "inspect"}, (source,), limits)
    return [frame_from(frame) for frame in answer["frames"]]


@contextmanager
def opened(
    stream: BinaryIO, kind: str, channel: str | None, folder: Path, limits: Limits = LIMITS
) -> Iterator[Extract]:
    """Take a channel out of a file, the one of this name or the only image, for the length of the block.

    What is read lies in a file without a name on the disk of ``folder``. Raises: InvalidLog.
    """
    with _on_disk(stream, folder) as source, TemporaryFile(dir=folder) as target:
        answer = _ask(kind, {"what": "extract", "channel": channel}, (source, target), limits)
        frame = frame_from({**answer["frame"], "channels": [answer["channel"]]})
        target.seek(0)
        depths = np.frombuffer(target.read(8 * frame.rows), np.float64)
        yield Extract(frame, frame.channels[0], answer["null"], depths, target)


def _ask(kind: str, order: dict[str, Any], files: Sequence[IO[bytes]], limits: Limits) -> dict[str, Any]:
    """Start a child process and wait for its answer.

    Raises: InvalidLog where it refuses, dies or takes too long.
    """
    if find_spec(_READERS[kind]) is None:
        raise InvalidLog(f"To read {kind.upper()} files, install the extra: pip install 'imgpipe[{EXTRA}]'.")
    passed = [file.fileno() for file in files]
    order |= {"source": f"/dev/fd/{passed[0]}", "target": passed[-1], **asdict(limits)}
    begin = _BEGIN.format(package=str(Path(__file__).parents[1]), kind=kind, **asdict(limits))
    try:
        child = subprocess.run(
            [sys.executable, "-I", "-c", begin, json.dumps(order)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=passed,
            env={"OPENBLAS_NUM_THREADS": "1"},  # each thread of which would count as memory
            timeout=limits.seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InvalidLog(f"The file takes longer than {limits.seconds} s to read.") from error
    try:
        answer: dict[str, Any] = json.loads(child.stdout)
    except ValueError as error:
        sentence = f"The {kind.upper()} file cannot be read: its reader died of it."
        raise InvalidLog(sentence) from RuntimeError(f"exit status {child.returncode}: {error}")
    if "refusal" in answer:
        raise InvalidLog(clean_text(answer["refusal"].replace(order["source"], "the file")))
    return answer


@contextmanager
def _on_disk(stream: BinaryIO, folder: Path) -> Iterator[IO[bytes]]:
    """Return a file that another process can read from its beginning."""
    try:
        stream.fileno()
    except (OSError, AttributeError):
        with TemporaryFile(dir=folder) as copy:
            copyfileobj(stream, copy)
            copy.flush()
            yield copy
        return
    os.lseek(stream.fileno(), 0, os.SEEK_SET)
    yield stream
