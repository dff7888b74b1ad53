"""Shrinking strip by strip gives what shrinking the whole picture would."""

import pytest
from PIL import Image
from PIL.Image import Resampling

from imgpipe.imaging.color import smooth
from imgpipe.imaging.shrinking import STRIP_PIXELS, shrink
from tests.factories import picture
from tests.imaging.pictures import plain

WIDE = (STRIP_PIXELS // 100, 333)  # several strips, the last one not full


def _whole(source: Image.Image, factor: int, size: tuple[int, int]) -> Image.Image:
    smoothed = smooth(source)
    averaged = smoothed.convert("RGBa") if smoothed.mode == "RGBA" else smoothed
    part = (0, 0, source.width / factor, source.height / factor)
    shrunk = averaged.reduce(factor).resize(size, Resampling.LANCZOS, part)
    return shrunk.convert("RGBA") if shrunk.mode == "RGBa" else shrunk


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK"])
def test_strips_add_up_to_the_whole(mode: str) -> None:
    source = picture(*WIDE).convert(mode)
    if mode in ("LA", "RGBA"):
        source.putalpha(Image.linear_gradient("L").resize(WIDE))
    size = WIDE[0] // 14, WIDE[1] // 15  # 8 x 8 px are averaged
    assert shrink(source, size).tobytes() == _whole(source, 8, size).tobytes()


def test_16_bits_and_a_transparent_colour_shrink_in_strips_too() -> None:
    grey = plain("I;16", WIDE, 25_700)
    assert shrink(grey, (100, 4)).getextrema() == (100, 100)
    coloured = plain("RGB", WIDE, (9, 9, 9))
    coloured.info["transparency"] = (9, 9, 9)
    assert shrink(coloured, (100, 4)).getchannel("A").getextrema() == (0, 0)


def test_the_same_size_changes_no_value() -> None:
    source = plain("RGBA", (9, 9), (200, 100, 50, 3))
    assert shrink(source, (9, 9)).tobytes() == source.tobytes()
