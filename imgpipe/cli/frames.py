"""``frames``: import depth logs that are too large for a form."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from imgpipe.depthlogs import logs, wellfiles
from imgpipe.depthlogs.terms import Terms
from imgpipe.errors import ImgpipeError
from imgpipe.scanlines import scale, units
from imgpipe.wells.choosing import find_problem
from imgpipe.wells.contents import Frame

frames = AppGroup("frames", help="Work on depth logs.")


@frames.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--log", "name", default=logs.DEFAULT, show_default=True, help="the log to store it in")
@click.option("--channel", help="of a LAS or DLIS file: CHANNEL or FRAME/CHANNEL")
@click.option("--scale", "scale_text", help="MIN:MAX of true values, auto, or p2:p98")
@click.option("--value-unit", "unit_text", help="of the true values, unless the file says it")
@click.option("--null", "nulls_text", help="values that stand for holes, such as -999.25,-9999")
@click.option("--missing", is_flag=True, help="an empty cell is a hole")
@click.option("--depth-unit", type=click.Choice(list(units.METRES)), help="unless the file says it")
def import_frames(
    file: Path,
    name: str,
    channel: str | None,
    scale_text: str | None,
    unit_text: str | None,
    nulls_text: str | None,
    missing: bool,
    depth_unit: str | None,
) -> None:
    """Store the CSV, LAS or DLIS in FILE, of any size, all of it or nothing."""
    size_bytes = file.stat().st_size
    with (
        file.open("rb", 0) as raw,
        click.progressbar(length=size_bytes, label=file.name) as bar,
        _faults_reported(),
    ):
        terms = Terms(
            scale=None if scale_text is None else scale.parse(scale_text),
            nulls=None if nulls_text is None else scale.parse_nulls(nulls_text),
            missing=missing,
            depth_unit=depth_unit,
            value_unit=None if unit_text is None else scale.parse_unit(unit_text),
        )
        watched = io.BufferedReader(_Watched(raw, bar.update))
        receipt = wellfiles.accept(watched, name, terms, channel)
    unit = f" {receipt.depth_unit}" if receipt.depth_unit else ""
    click.echo(
        f"{receipt.log}: {receipt.rows:,} rows from {receipt.depth_min!r} to {receipt.depth_max!r}{unit}, "
        f"{receipt.replaced:,} of them replaced, {receipt.skipped:,} blank lines skipped"
    )
    if receipt.value_min is not None:
        unit = f" {receipt.value_unit}" if receipt.value_unit else ""
        values = f"{receipt.value_min!r} to {receipt.value_max!r}{unit}"
        click.echo(f"values from {values} in 256 steps, {receipt.clipped:,} outside of these")


@frames.command("inspect")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="one JSON object a frame, each on a line of its own")
def inspect_frames(file: Path, as_json: bool) -> None:
    """List what is in a LAS or DLIS file: its frames, their index, and their channels."""
    with file.open("rb") as stream, _faults_reported():
        found = wellfiles.inspect(stream)
    for frame in found:
        for line in [json.dumps(asdict(frame))] if as_json else _describe(frame):
            click.echo(line)


def _describe(frame: Frame) -> Iterator[str]:
    unit = f" {frame.unit}" if frame.unit else ""
    ends = "" if frame.first is None else f" from {frame.first!r} to {frame.last!r}{unit}"
    yield f"{frame.name}: {frame.rows:,} rows{ends}"
    spacing = "" if frame.spacing is None else f", {frame.spacing!r}{unit} apart"
    yield f"  index {frame.index} ({frame.index_type}), {frame.direction}{spacing}"
    if frame.problem:
        yield f"  no log can be made of it: {frame.problem}"
    elif frame.direction == "decreasing":
        yield "  the index decreases; a log is stored in ascending depth"
    for channel in frame.channels:
        span = "" if channel.minimum is None else f", {channel.minimum:g} to {channel.maximum:g}"
        problem = find_problem(channel)
        image = "an image" if problem is None else f"no image: it {problem}"
        yield f"  {channel.describe()} {channel.unit}{span}; {image}"


@contextmanager
def _faults_reported() -> Iterator[None]:
    """Report what goes wrong without a traceback, and end with exit code 1."""
    try:
        yield
    except ImgpipeError as error:
        raise click.ClickException("\n".join(_explain(error))) from error


class _Watched(io.RawIOBase):
    """Tell how many bytes have been read."""

    def __init__(self, raw: io.RawIOBase, advance: Callable[[int], None]) -> None:
        self._raw, self._advance = raw, advance

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        return self._raw.seek(place, whence)

    def readinto(self, buffer: Any) -> int | None:
        count = self._raw.readinto(buffer)
        self._advance(count or 0)
        return count


def _explain(error: ImgpipeError) -> Iterator[str]:
    """Write an error for a terminal: its sentence, then the faults of a CSV line by line."""
    yield error.message
    for fault in error.details.get("errors", ()):
        column = f", column {fault['column']}" if fault["column"] is not None else ""
        yield f"  line {fault['line']}{column}: found {fault['found']!r}, expected {fault['expected']}"
    if error.details.get("more"):
        yield f"  and {error.details['more']:,} more"
