"""The way of a picture: from the bytes of a file to its derivatives and metadata."""

from collections.abc import Callable
from time import perf_counter

from imgpipe.imaging.damage import damage_refused
from imgpipe.imaging.formats import format_of, open_picture
from imgpipe.imaging.recipe import RECIPE, Recipe
from imgpipe.imaging.steps import describe, fingerprint, flatten, orient, shrink, square, thumbnails, to_srgb
from imgpipe.imaging.work import Work

Step = Callable[[Work], None]

STEPS: tuple[Step, ...] = (describe, shrink, orient, to_srgb, flatten, fingerprint, thumbnails, square)


def run(data: bytes, recipe: Recipe = RECIPE, png_decoder: str = "pillow") -> Work:
    """Make everything in the recipe out of the bytes of one picture that ``probe`` has let through.

    Safe in threads; Pillow gives up the interpreter lock while it decodes, resizes and encodes.

    Raises:
        CorruptImage: the bytes cannot be decoded to the end.
    """
    with damage_refused():
        format = format_of(data)
        work = Work(data, format, open_picture(data, format, png_decoder), recipe)
        for step in STEPS:
            began = perf_counter()
            step(work)
            work.timings_ms[step.__name__] = (perf_counter() - began) * 1000
    return work
