"""Sizes follow Pillow's own ``thumbnail``."""

from hypothesis import given
from hypothesis import strategies as some
from PIL import Image

from imgpipe.imaging.geometry import fit, upright_size

SIDES = some.integers(1, 3000)


@given(SIDES, SIDES, some.sampled_from([128, 512]))
def test_a_fitted_size_is_the_one_that_thumbnail_gives(width: int, height: int, limit: int) -> None:
    picture = Image.new("1", (width, height))
    picture.thumbnail((limit, limit), Image.Resampling.NEAREST, reducing_gap=None)
    assert fit((width, height), limit) == picture.size


def test_a_hair_keeps_a_side_of_one() -> None:
    assert fit((20_000, 3), 128) == (128, 1)
    assert fit((3, 20_000), 128) == (1, 128)


def test_a_small_picture_is_not_enlarged() -> None:
    assert fit((40, 30), 128) == (40, 30)


def test_lying_orientations_swap_the_sides() -> None:
    sizes = [upright_size((40, 30), orientation) for orientation in range(1, 9)]
    assert sizes == [(40, 30)] * 4 + [(30, 40)] * 4
