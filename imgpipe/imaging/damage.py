"""Make one error of every fault that Pillow finds in damaged bytes."""

from collections.abc import Iterator
from contextlib import contextmanager

from imgpipe.errors import CorruptImage, ImgpipeError


@contextmanager
def damage_refused() -> Iterator[None]:
    """Turn whatever Pillow raises on damaged bytes into one error; ours and MemoryError pass.

    Raises:
        CorruptImage: in place of OSError, ValueError, SyntaxError, IndexError, TypeError, AssertionError…
    """
    try:
        yield
    except (ImgpipeError, MemoryError):
        raise
    except Exception as error:
        raise CorruptImage from error
