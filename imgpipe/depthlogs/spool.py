"""Keep rows in temp files without names, a file a column: a process that dies leaves nothing behind."""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


class Spool:
    """Append rows, and read any of them again; ``sizes`` are the bytes that each column takes a row."""

    def __init__(self, folder: Path, sizes: Sequence[int]) -> None:
        self.rows = 0
        self.sizes = sizes
        self._files = [TemporaryFile(dir=folder) for _ in sizes]  # noqa: SIM115

    def append(self, columns: Sequence[NDArray[np.generic]]) -> None:
        """Write rows; every column has as many of them."""
        for file, column in zip(self._files, columns, strict=True):
            file.write(np.ascontiguousarray(column).data)
        self.rows += len(columns[0])

    def flush(self) -> None:
        """Let what was appended be read."""
        for file in self._files:
            file.flush()

    def read(self, start: int, end: int, column: int) -> Bytes:
        """Return rows of a column, uint8 (n, size), from ``start`` to before ``end`` or the last."""
        size = self.sizes[column]
        data = os.pread(
            self._files[column].fileno(), max(0, min(end, self.rows) - start) * size, start * size
        )
        return np.frombuffer(data, np.uint8).reshape(-1, size)

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the disk back; doing it twice is fine."""
        for file in self._files:
            file.close()
