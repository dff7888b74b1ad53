"""The way of a picture: from the bytes of a file to its derivatives and metadata."""

from collections.abc import Callable
from time import perf_counter

from imgpipe.imaging.source import damage_refused, format_of, open_picture
from imgpipe.imaging.steps import describe, fingerprint, flatten, orient, shrink, square, thumbnails, to_srgb
from imgpipe.imaging.work import Work

Step = Callable[[Work], None]

STEPS: tuple[Step, ...] = (describe, shrink, orient, to_srgb, flatten, fingerprint, thumbnails, square)


def run(data: bytes) -> Work:
    """Make everything out of one JPEG or PNG that ``probe`` has let through.

    Safe in threads; Pillow gives up the interpreter lock while it decodes, resizes and encodes.

    Raises:
        CorruptImage: the bytes cannot be decoded to the end.
    """
    with damage_refused():
        work = Work(data, format_of(data), open_picture(data))
        for step in STEPS:
            began = perf_counter()
            step(work)
            work.timings_ms[step.__name__] = (perf_counter() - began) * 1000
    return work
