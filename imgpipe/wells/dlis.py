"""Read DLIS files with dlisio; runs in the child process only."""

from typing import Any

import numpy as np
from dlisio import dlis
from numpy.typing import NDArray

from imgpipe.wells.contents import Channel, Frame, Refusal, refusal
from imgpipe.wells.measuring import guess_index_type


class DlisFile:
    """Offer the frames of all logical files of a DLIS file. Raises: Refusal when it cannot be read."""

    null = None

    def __init__(self, path: str) -> None:
        try:
            self._frames = [frame for logical in dlis.load(path) for frame in logical.frames]
            self.frames = [_outline(frame) for frame in self._frames]
        except MemoryError:
            raise
        except Exception as error:  # a damaged file can make it raise nearly anything
            raise refusal("The DLIS file cannot be read", error) from error
        if not self.frames:
            raise Refusal("The DLIS file has no frames.")

    def load(self, number: int) -> tuple[NDArray[Any], list[NDArray[Any]]]:
        """Return the index of a frame, (n,), and its channels, (n, …). Raises: Refusal."""
        frame = self._frames[number]
        try:
            curves = frame.curves(strict=False)
        except MemoryError:
            raise
        except Exception as error:  # the same
            raise refusal(f"The frame {frame.name} cannot be read", error) from error
        names = curves.dtype.names or ()
        # Before the channels, dlisio puts the number that each row carries.
        columns = [np.asarray(curves[name]) for name in names[1:]]
        if len(columns) != len(frame.channels) or not columns:
            raise Refusal(f"The frame {frame.name} does not have the channels that it tells of.")
        return columns[0], columns[1:]


def open_file(path: str) -> DlisFile:
    """Open a file."""
    return DlisFile(path)


def _outline(frame: Any) -> Frame:
    """Describe a frame by its headers; its first channel is the index."""
    index, *others = frame.channels or [None]
    if index is None:
        return Frame(str(frame.name), "", "unknown", "", problem=f"The frame {frame.name} has no channels.")
    name, unit = str(index.name), str(index.units or "")
    kind = guess_index_type(name, unit, str(frame.index_type or ""))
    return Frame(str(frame.name), name, kind, unit, [_describe(channel) for channel in others])


def _describe(channel: Any) -> Channel:
    shape = tuple(int(size) for size in channel.dimension or ())
    return Channel(str(channel.name), str(channel.units or ""), () if shape == (1,) else shape, "?")
