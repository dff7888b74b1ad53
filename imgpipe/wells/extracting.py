"""Do what the service asked its child process for: list what a file holds, or take one channel out."""

import os
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgpipe.wells.choosing import choose
from imgpipe.wells.contents import Channel, File, Frame, Refusal
from imgpipe.wells.measuring import measure, to_depths

# So many rows are written at once.
ROWS = 4_096


def answer(file: File, order: dict[str, Any]) -> dict[str, Any]:
    """Return what the order asks for: frames, or a channel, whose bytes go to the descriptor ``target``.

    Raises: Refusal.
    """
    if order["what"] == "inspect":
        return {"frames": [asdict(_look(file, number)) for number in range(len(file.frames))]}
    place = choose(file.frames, order["channel"])
    index, channels = file.load(place.frame)
    frame = measure(replace(file.frames[place.frame], channels=[]), index, [], file.null)
    if frame.problem:
        raise Refusal(frame.problem)
    channel = file.frames[place.frame].channels[place.channel]
    values = _flat(channel, channels[place.channel])
    with os.fdopen(order["target"], "wb", closefd=False) as target:
        _write(target, to_depths(index), values)
    return {
        "frame": asdict(frame),
        "channel": asdict(replace(channel, kind=values.dtype.name)),
        "null": file.null,
    }


def _look(file: File, number: int) -> Frame:
    try:
        index, channels = file.load(number)
    except Refusal as refusal:
        return replace(file.frames[number], problem=str(refusal))
    return measure(file.frames[number], index, channels, file.null)


def _flat(channel: Channel, values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind not in "fiu":
        raise Refusal(f"{channel.name} is text.")
    return values.reshape(len(values), -1)


def _write(target: Any, depths: NDArray[np.float64], values: NDArray[Any]) -> None:
    """Write the depths, then the values row after row, both in ascending depth."""
    ascending = slice(None) if len(depths) < 2 or depths[0] < depths[1] else slice(None, None, -1)
    target.write(np.ascontiguousarray(depths[ascending]).data)
    values = values[ascending]
    for start in range(0, len(values), ROWS):
        target.write(np.ascontiguousarray(values[start : start + ROWS]).data)
