"""A picture that is not whole raises one error, however Pillow fails."""

import random
import zlib
from contextlib import suppress

import pytest
from PIL import Image

from imgpipe.errors import CorruptImage, UnsupportedType
from imgpipe.imaging.pipeline import run
from imgpipe.imaging.probe import probe
from tests.imaging.pictures import chunk, jpeg, noise, plain, png, unfinished_png, with_chunks, with_exif

PHOTO = noise((1600, 1200)).convert("RGB")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99, 0.9999])
@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
def test_a_cut_jpeg_is_corrupt_though_it_is_decoded_at_a_smaller_scale(
    progressive: bool, share: float
) -> None:
    data = jpeg(PHOTO, progressive=progressive)
    with pytest.raises(CorruptImage):
        run(data[: int(len(data) * share)])


@pytest.mark.parametrize("missing", [1, 2, 3, 10])
def test_a_jpeg_without_its_last_bytes_is_corrupt(missing: int) -> None:
    with pytest.raises(CorruptImage):
        run(jpeg(PHOTO)[:-missing])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_cut_png_is_corrupt(share: float) -> None:
    data = png(PHOTO.crop((0, 0, 300, 200)))
    with pytest.raises(CorruptImage):
        run(data[: int(len(data) * share)])


KINDS = [(0, 1), (0, 8), (0, 16), (2, 8), (2, 16), (3, 8), (4, 8), (4, 16), (6, 8), (6, 16)]


@pytest.mark.parametrize(("color", "depth"), KINDS)
@pytest.mark.parametrize("rows", [1, 250, 499])
def test_a_png_whose_rows_end_early_is_corrupt(color: int, depth: int, rows: int) -> None:
    data = unfinished_png((40, 500), rows, color=color, depth=depth)
    with pytest.raises(CorruptImage):
        run(data)


@pytest.mark.parametrize(("color", "depth"), KINDS)
def test_a_png_with_all_its_rows_is_whole(color: int, depth: int) -> None:
    assert len(run(unfinished_png((40, 500), 500, color=color, depth=depth)).derivatives) == 3


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P", "LA", "I;16"])
@pytest.mark.parametrize("size", [(40, 30), (9, 1), (1, 9)])
def test_a_png_that_is_black_or_transparent_to_its_end_is_whole(mode: str, size: tuple[int, int]) -> None:
    assert len(run(png(plain(mode, size, 0))).derivatives) == 3


def test_an_interlaced_png_that_ends_early_is_corrupt() -> None:
    with pytest.raises(CorruptImage):
        run(unfinished_png((40, 500), 100, interlaced=1))


def test_a_png_with_a_wrong_checksum_in_its_header_is_corrupt() -> None:
    data = bytearray(png(plain()))
    data[30] ^= 1
    with pytest.raises(CorruptImage):
        run(bytes(data))


def test_a_png_text_that_unpacks_to_megabytes_is_corrupt() -> None:
    bomb = chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(3_000_000)))
    with pytest.raises(CorruptImage):
        run(with_chunks(png(plain()), bomb))


def test_the_cause_stays_with_the_error() -> None:
    with pytest.raises(CorruptImage) as caught:
        run(jpeg(PHOTO)[:5000])
    assert isinstance(caught.value.__cause__, OSError)


def test_something_else_is_an_unsupported_type() -> None:
    with pytest.raises(UnsupportedType):
        run(b"not a picture")


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("seed", range(40))
def test_flipped_bits_end_in_a_picture_or_in_this_error(seed: int) -> None:
    chance = random.Random(seed)
    whole = chance.choice([jpeg, png])(Image.effect_noise((60, 40), 50))
    data = bytearray(with_exif({0x010F: "Maker"}) if seed % 3 == 0 else whole)
    for _ in range(chance.randrange(1, 20)):
        data[chance.randrange(8, len(data))] ^= 1 << chance.randrange(8)
    with suppress(CorruptImage):
        assert len(run(bytes(data)).derivatives) == 3


def test_a_sequential_jpeg_of_many_scans_passes_the_probe_and_is_corrupt_at_once() -> None:
    data = jpeg(plain("L", color=90))
    scan = data[data.rindex(b"\xff\xda") : -2]
    many = data[:-2] + scan * 100_000 + data[-2:]
    assert probe(many, max_pixels=2000).width == 40
    with pytest.raises(CorruptImage):
        run(many)
