import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from imgpipe.scanlines import resize


def random_pixels(rows: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(rows * 10_007 + width).integers(0, 256, (rows, width), dtype=np.uint8)


def shrink_exactly(pixels: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Cut every pixel into ``width`` parts and average as many parts as there were pixels."""
    source_width = pixels.shape[1]
    sums = pixels.repeat(width, axis=1).reshape(len(pixels), width, source_width).sum(axis=2, dtype=np.int64)
    return np.asarray((2 * sums + source_width) // (2 * source_width), np.uint8)


@settings(deadline=None)
@given(st.integers(1, 420), st.integers(1, 160))
def test_a_resized_pixel_is_the_mean_of_the_area_it_covers(source_width: int, width: int) -> None:
    pixels = random_pixels(5, source_width)
    assert np.array_equal(resize.resize(pixels, width), shrink_exactly(pixels, width))


@pytest.mark.parametrize("source_width", [1, 100, 149, 150, 151, 200, 360, 9_900, 9_999, 10_000])
def test_every_source_width_becomes_150_exactly(source_width: int) -> None:
    pixels = random_pixels(3, source_width)
    assert np.array_equal(resize.resize(pixels), shrink_exactly(pixels, 150))


def test_rows_are_resized_independently() -> None:
    pixels = random_pixels(50, 200)
    assert np.array_equal(resize.resize(pixels)[7], resize.resize(pixels[7:8])[0])


@pytest.mark.parametrize("value", [0, 1, 254, 255])
def test_an_even_row_stays_even(value: int) -> None:
    assert set(resize.resize(np.full((2, 9_973), value, np.uint8)).flat) == {value}


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.sets(st.integers(1, 59)))
def test_averaged_rows_are_exact_whatever_the_blocks(rows: int, max_rows: int, cuts: set[int]) -> None:
    pixels = random_pixels(rows, 3)
    blocks = np.split(pixels, sorted(cut for cut in cuts if cut < rows))
    averaged = np.concatenate(list(resize.average_rows(blocks, rows, max_rows)))
    assert np.array_equal(averaged, shrink_exactly(pixels.T, min(rows, max_rows)).T)


def test_rows_that_are_few_enough_pass_as_they_are() -> None:
    pixels = random_pixels(10, 150)
    assert next(resize.average_rows([pixels], 10, 10)) is pixels


def test_the_sums_of_very_many_rows_do_not_overflow() -> None:
    blocks = [np.full((2_000_000, 1), 255, np.uint8)] * 10
    assert np.concatenate(list(resize.average_rows(blocks, 20_000_000, 3))).tolist() == [[255]] * 3
    whole = np.full((16_000_000, 1), 255, np.uint8)
    assert np.concatenate(list(resize.average_rows([whole], 16_000_000, 3))).tolist() == [[255]] * 3
