"""What travels through the pipeline, and what comes out of it."""

from dataclasses import dataclass, field

from PIL.Image import Image

from imgpipe.imaging.formats import Format
from imgpipe.imaging.metadata import Metadata
from imgpipe.imaging.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Derivative:
    """A finished file made from a picture; ``format`` is jpg or png, ``width`` and ``height`` in px."""

    name: str
    format: str
    width: int
    height: int
    data: bytes


@dataclass(slots=True)
class Work:
    """One picture on its way: steps replace ``picture``, fill ``metadata`` and add ``derivatives``.

    ``color`` is the dominant one, ``#rrggbb``, None where nothing is opaque; ``perceptual_hash`` 64 bits as a
    signed number, None for a blank picture. ``timings_ms`` holds the wall time of every step under its name.
    """

    source: bytes
    format: Format
    picture: Image
    recipe: Recipe
    icc_profile: bytes | None = None
    metadata: Metadata = field(init=False)
    color: str | None = None
    perceptual_hash: int | None = None
    derivatives: list[Derivative] = field(default_factory=list)
    timings_ms: dict[str, float] = field(default_factory=dict)
