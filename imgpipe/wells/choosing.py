"""Choose the channel that is to become a log, and say plainly why none is fit."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from imgpipe.wells.contents import Channel, Frame, Refusal

LISTED = 12
WIDTH = 10_000


class Place(NamedTuple):
    """Where a channel stands: the number of its frame, and its own in there."""

    frame: int
    channel: int


def choose(frames: Sequence[Frame], wanted: str | None) -> Place:
    """Return the place of the channel of this name, or of the only one that is fit.

    ``wanted`` is ``CHANNEL`` or ``FRAME/CHANNEL``. Raises: Refusal.
    """
    places = [Place(n, m) for n, frame in enumerate(frames) for m in range(len(frame.channels))]
    channels = {place: frames[place.frame].channels[place.channel] for place in places}
    names = {place: f"{frames[place.frame].name}/{channels[place].name}" for place in places}
    images = [place for place in places if not find_problem(channels[place])]
    if wanted is None:
        if not images:
            raise Refusal(f"There is no image in the file; its channels are {_join(channels.values())}.")
        return _only(images, names, "There are several images in the file")
    named = [place for place in places if wanted in (channels[place].name, names[place])]
    if not named:
        raise Refusal(f"There is no channel {wanted} in the file, but {_join(channels.values())}.")
    place = _only(named, names, f"There are several channels {wanted} in the file")
    if problem := find_problem(channels[place]):
        others = _join([channels[image] for image in images])
        raise Refusal(f"The channel {wanted} {problem}. Images in the file: {others}.")
    return place


def find_problem(channel: Channel) -> str | None:
    """Say why a channel is no image; None if it is one."""
    if channel.kind == "text":
        return "is text"
    if len([size for size in channel.shape if size > 1]) > 1:
        return f"has {' x '.join(map(str, channel.shape))} values at a depth, where a log has one row"
    if channel.width < 2:
        return "has one value at a depth"
    return f"has more than {WIDTH:,} values at a depth" if channel.width > WIDTH else None


def _only(found: Sequence[Place], names: dict[Place, str], sentence: str) -> Place:
    if len(found) == 1:
        return found[0]
    listed = ", ".join(names[place] for place in found[:LISTED])
    if len({names[place] for place in found}) < len(found):
        raise Refusal(f"{sentence}, and frames of the same name among them: {listed}.")
    raise Refusal(f"{sentence}; choose one by channel: {listed}.")


def _join(channels: Iterable[Channel]) -> str:
    described = [channel.describe() for channel in channels]
    listed = ", ".join(described[:LISTED]) or "none"
    return listed if len(described) <= LISTED else f"{listed} and {len(described) - LISTED} more"
