"""Read LAS files with lasio; runs in the child process only."""

import io
import re
from typing import Any, BinaryIO

import lasio
import numpy as np
from numpy.typing import NDArray

from imgpipe.wells.contents import Channel, Frame, Refusal, refusal
from imgpipe.wells.measuring import guess_index_type

_ELEMENT = re.compile(r"(.+?)\s*\[\s*([0-9]{1,5})\s*\]")
_NUMBERED = re.compile(r"(.*[^0-9])([0-9]{1,5})")
# Of fewer columns with numbers each may be a curve of its own, as the six arms of a caliper are.
LEAST_NUMBERED = 16


class LasFile:
    """Offer the one frame of a LAS file; its columns ``AMP[0]`` to ``AMP[199]`` are the channel ``AMP``.

    Raises: Refusal when it cannot be read.
    """

    def __init__(self, stream: BinaryIO) -> None:
        las = _read(stream)
        self.null = _find_null(las)
        self._curves = list(las.curves)
        if not self._curves:
            raise Refusal("The LAS file has no columns.")
        first, *others = self._curves
        names = [str(curve.original_mnemonic) for curve in others]
        self._groups = group_elements(names)
        name, unit = str(first.original_mnemonic), str(first.unit or "")
        channels = [
            Channel(name, str(others[places[0]].unit or ""), (len(places),) if len(places) > 1 else (), "?")
            for name, places in self._groups
        ]
        self.frames = [Frame("LAS", name, guess_index_type(name, unit), unit, channels)]

    def load(self, number: int) -> tuple[NDArray[Any], list[NDArray[Any]]]:
        """Return the index, (n,), and the channels, (n,) or (n, width)."""
        columns = [np.asarray(curve.data) for curve in self._curves]
        channels = [
            columns[1 + places[0]] if len(places) == 1 else np.stack([columns[1 + n] for n in places], axis=1)
            for _, places in self._groups
        ]
        return columns[0], channels


def group_elements(names: list[str]) -> list[tuple[str, list[int]]]:
    """Put the places of an array's elements together, in their order; any other column stays by itself.

    Raises: Refusal where an element is missing or comes twice.
    """
    elements = _numbered(names) | _bracketed(names)
    arrays: dict[str, dict[int, int]] = {}
    groups: list[tuple[str, list[int]]] = []
    for place, name in enumerate(names):
        if place not in elements:
            groups.append((name, [place]))
            continue
        array, number = elements[place]
        if array not in arrays:
            arrays[array] = {}
            groups.append((array, []))
        if number in arrays[array]:
            raise Refusal(f"The column {name} comes twice in the LAS file.")
        arrays[array][number] = place
    return [(name, places or _in_order(name, arrays[name])) for name, places in groups]


def _bracketed(names: list[str]) -> dict[int, tuple[str, int]]:
    """Find ``AMP[0]``, ``AMP[1]`` …: array and number by the column's place."""
    matches = ((place, _ELEMENT.fullmatch(name)) for place, name in enumerate(names))
    return {place: (match[1], int(match[2])) for place, match in matches if match}


def _numbered(names: list[str]) -> dict[int, tuple[str, int]]:
    """Find ``AMP1`` to ``AMP200``, ``AMP_001`` …: many side by side, from 0 or 1 on, and no other ``AMP``."""
    matches = ((place, _NUMBERED.fullmatch(name)) for place, name in enumerate(names))
    found = [(place, match[1].rstrip(" _-"), int(match[2])) for place, match in matches if match]
    taken = {*names, *(array for array, _ in _bracketed(names).values())}
    elements: dict[int, tuple[str, int]] = {}
    for array in dict.fromkeys(array for _, array, _ in found):
        run = [(place, number) for place, other, number in found if other == array]
        place, number = run[0]
        steady = run == [(place + step, number + step) for step in range(len(run))]
        if array and array not in taken and steady and number in (0, 1) and len(run) >= LEAST_NUMBERED:
            elements |= {place: (array, number) for place, number in run}
    return elements


def _in_order(name: str, elements: dict[int, int]) -> list[int]:
    missing = set(range(min(elements), max(elements))) - set(elements)
    if missing:
        raise Refusal(f"The column {name}[{min(missing)}] is missing in the LAS file.")
    return [elements[number] for number in sorted(elements)]


def _read(stream: BinaryIO) -> Any:
    """Hand lasio a file object and nothing else: a string it may take for a path or an address."""
    data = stream.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    try:
        return lasio.read(
            io.StringIO(text), null_policy="none", mnemonic_case="preserve", ignore_header_errors=True
        )
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can make it raise nearly anything
        raise refusal("The LAS file cannot be read", error) from error


def _find_null(las: Any) -> float | None:
    try:
        return float(las.well["NULL"].value)
    except (KeyError, TypeError, ValueError):
        return None


def open_file(path: str) -> LasFile:
    """Open a file that has been given as a descriptor."""
    with open(path, "rb") as stream:
        return LasFile(stream)
