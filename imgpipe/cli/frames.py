"""``frames``: import depth logs that are too large for a form."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from imgpipe.depthlogs import logs
from imgpipe.errors import ImgpipeError

frames = AppGroup("frames", help="Work on depth logs.")


@frames.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--log", "name", default=logs.DEFAULT, show_default=True, help="the log to store it in")
def import_frames(file: Path, name: str) -> None:
    """Store the CSV in FILE, of any size, all of it or nothing."""
    size_bytes = file.stat().st_size
    with file.open("rb", 0) as raw, click.progressbar(length=size_bytes, label=file.name) as bar:
        try:
            receipt = logs.accept(io.BufferedReader(_Watched(raw, bar.update)), name)
        except ImgpipeError as error:
            raise click.ClickException("\n".join(_explain(error))) from error
    click.echo(
        f"{receipt.log}: {receipt.rows:,} rows from {receipt.depth_min!r} to {receipt.depth_max!r}, "
        f"{receipt.replaced:,} of them replaced, {receipt.skipped:,} blank lines skipped"
    )


class _Watched(io.RawIOBase):
    """Tell how many bytes have been read."""

    def __init__(self, raw: io.RawIOBase, tell: Callable[[int], None]) -> None:
        self._raw, self._tell = raw, tell

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        count = self._raw.readinto(buffer)
        self._tell(count or 0)
        return count


def _explain(error: ImgpipeError) -> Iterator[str]:
    """Write an error for a terminal: its sentence, then the faults of a CSV line by line."""
    yield error.message
    for fault in error.details.get("errors", ()):
        column = f", column {fault['column']}" if fault["column"] is not None else ""
        yield f"  line {fault['line']}{column}: found {fault['found']!r}, expected {fault['expected']}"
    if error.details.get("more"):
        yield f"  and {error.details['more']:,} more"
