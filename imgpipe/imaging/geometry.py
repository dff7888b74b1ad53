"""Sizes and orientations; a size is (width, height) in px."""

import math
from collections.abc import Callable

from PIL.Image import Image, Transpose

Size = tuple[int, int]
Box = tuple[int, int, int, int]

# EXIF 2.32, tag 0x0112: how to turn the stored picture so that it stands upright.
_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_LYING = frozenset({5, 6, 7, 8})


def upright_size(size: Size, orientation: int) -> Size:
    """Swap the sides where ``orientation`` (1 to 8) lays the picture on its side; its own inverse."""
    width, height = size
    return (height, width) if orientation in _LYING else size


def turn_upright(picture: Image, orientation: int) -> Image:
    """Turn and mirror as ``orientation`` (1 to 8) says."""
    turn = _TURNS.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def fit(size: Size, limit: int) -> Size:
    """Shrink into a square of ``limit`` px: aspect kept, never enlarged, no side under 1.

    The short side is the neighbouring whole number with the aspect nearest to the original's, which is
    the size that Pillow's ``thumbnail`` gives.
    """
    width, height = size
    if max(size) <= limit:
        return size
    aspect = width / height
    if aspect <= 1:
        return _nearest(limit * aspect, lambda short: abs(aspect - short / limit)), limit
    return limit, _nearest(limit / aspect, lambda short: abs(aspect - limit / short))


def centred(size: Size, canvas: Size) -> Box:
    """Return where a picture lies that is centred on a canvas: left, top, right, bottom, px."""
    left, top = (canvas[0] - size[0]) // 2, (canvas[1] - size[1]) // 2
    return left, top, left + size[0], top + size[1]


def _nearest(side: float, error: Callable[[int], float]) -> int:
    below = math.floor(side)
    if below == 0:
        return 1
    return min(below, math.ceil(side), key=error)
