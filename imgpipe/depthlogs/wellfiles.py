"""Take in depth logs by whatever file they come: a CSV as it stands, of a LAS or DLIS one channel."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from imgpipe.database.replays import Seal
from imgpipe.depthlogs import logs
from imgpipe.depthlogs.logs import Receipt
from imgpipe.depthlogs.terms import Terms
from imgpipe.errors import InvalidLog, InvalidParameter, LogNotFound
from imgpipe.extensions import parts
from imgpipe.scanlines import units
from imgpipe.scanlines.realcells import Rules, Values
from imgpipe.scanlines.scale import UNIT_LENGTH, Wanted
from imgpipe.text import clean_text
from imgpipe.wells import reading
from imgpipe.wells.contents import Frame
from imgpipe.wells.reading import Extract


class _Channel:
    """Iterate over the rows of a channel, its nulls and the file's own as holes."""

    lasting = True

    def __init__(self, extract: Extract, rules: Rules) -> None:
        self._extract, self._rules = extract, rules
        self.source_width = extract.channel.width
        self.rows = len(extract.depths)
        self.skipped = 0

    def __iter__(self) -> Iterator[Values]:
        for depths, values in self._extract.blocks():
            if not self._rules.accept(self._rules.blank(values)):
                raise InvalidLog(
                    f"The channel {self._extract.channel.name} has values that are no whole numbers from 0 "
                    "to 255, and the log has no scale; take a log of another name."
                )
            yield Values(depths, values)


def accept(
    stream: BinaryIO,
    name: str = logs.DEFAULT,
    terms: Terms = logs.PLAIN,
    channel: str | None = None,
    seal: Seal | None = None,
) -> Receipt:
    """Take in a file that can be read from its beginning again, all of it or nothing.

    Of a LAS or DLIS file this is ``channel``, or the only image in it; a new log gets the scale ``auto``.

    Raises: ``InvalidLog``, and as ``logs.accept`` does.
    """
    kind = _recognise(stream)
    if kind is None:
        if channel is not None:
            raise InvalidParameter(
                "channel: goes with LAS and DLIS files, and this is neither", details={"parameter": "channel"}
            )
        return logs.accept(stream, name, terms, seal)
    logs.check_name(name)
    with logs.logged(name), reading.opened(stream, kind, channel, parts.settings.data_dir) as extract:
        terms = logs.terms_of(name, _complete(name, terms, extract))
        return logs.store(_Channel(extract, terms.rules), name, terms, seal)


def inspect(stream: BinaryIO) -> list[Frame]:
    """List what is in a LAS or DLIS file. Raises: ``InvalidLog``."""
    kind = _recognise(stream)
    if kind is None:
        raise InvalidLog("This is neither a LAS nor a DLIS file.")
    return reading.inspect(stream, kind, Path(parts.settings.data_dir))


def _recognise(stream: BinaryIO) -> str | None:
    head = stream.read(reading.HEAD_BYTES)
    stream.seek(0)
    return reading.recognise(head)


def _complete(name: str, terms: Terms, extract: Extract) -> Terms:
    """Take from the file what the upload does not say."""
    terms = logs.with_unit(terms, _unit_of(extract.frame))
    unit = terms.value_unit or clean_text(extract.channel.unit, UNIT_LENGTH).strip() or None
    terms = replace(terms, missing=True, value_unit=unit)
    return terms if terms.scale or _is_there(name) else replace(terms, scale=Wanted())


def _unit_of(frame: Frame) -> str | None:
    unit = units.recognise(frame.unit)
    if unit is None and frame.unit.strip():
        raise InvalidLog(
            f"The index {frame.index} is in {frame.unit}, and depths are kept in {', '.join(units.METRES)}."
        )
    return unit


def _is_there(name: str) -> bool:
    try:
        logs.find(name)
    except LogNotFound:
        return False
    return True
