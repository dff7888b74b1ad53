"""With libvips a PNG gives the bytes, facts and errors that it gives with Pillow alone."""

import os
import random
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from imgpipe.config import load
from imgpipe.errors import ConfigError, ImgpipeError
from imgpipe.imaging.pipeline import run
from tests.corpus import CORPUS, MARKS
from tests.imaging.pictures import (
    chunk,
    plain,
    png,
    swapped_channels_profile,
    unfinished_png,
    with_chunks,
)
from tests.imaging.test_cost import AT_REST, PICTURE, SQUARE, black, cost
from tests.servers import serving

if find_spec("_libvips") is None and os.environ.get("CI") != "true":
    pytest.skip("needs requirements-vips.txt", allow_module_level=True)

from imgpipe.imaging.vips import VipsPngFile

SIZE = (23, 17)
PLAIN = ("L", "LA", "RGB", "RGBA", "I;16")
KINDS = ("tEXt", "zTXt", "iTXt", "eXIf", "iCCP", "tRNS", "PLTE", "IDAT", "IHDR", "acTL", "ABCD", "abcd")


class Watched(VipsPngFile):
    """Remembers what its decoder was given last."""

    given = b""

    def load_read(self, read_bytes: int) -> bytes:
        self.given = bytes(super().load_read(read_bytes))
        return self.given


def picture(mode: str, size: tuple[int, int] = SIZE) -> Image.Image:
    values = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 4), np.uint8)
    if mode == "I;16":
        return Image.fromarray(values.view(np.uint16)[:, :, 0])
    return Image.fromarray(values).convert("RGB" if mode == "P" else mode).convert(mode)


def decoded(open: Callable[[BytesIO], PngImageFile], data: bytes) -> tuple[Any, ...]:
    """Return all that a decoder gives: pixels and what stands beside them, or its error."""
    try:
        found = open(BytesIO(data))
        found.load()
    except Exception as error:
        return type(error), str(error)
    beside = found.info, found.text, found.private_chunks, found.n_frames
    return found.mode, found.size, found.tobytes(), found.getpalette(), *beside


def rendered(data: bytes, decoder: str) -> tuple[Any, ...]:
    """Return all that the pipeline makes, or its error."""
    try:
        work = run(data, png_decoder=decoder)
    except ImgpipeError as error:
        return type(error), error.message, error.details, repr(error.__cause__)
    return work.derivatives, work.metadata, work.color, work.perceptual_hash, work.icc_profile


def differing(files: Iterable[bytes]) -> list[bytes]:
    return [data for data in files if decoded(VipsPngFile, data) != decoded(PngImageFile, data)]


def parted(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return what stands before the pixels, the pixels' deflate stream, and what stands behind."""
    before, body, behind = data.index(b"IDAT") - 4, b"", 0
    while (found := data.find(b"IDAT", behind or before)) > 0:
        behind = found + 8 + int.from_bytes(data[found - 4 : found])
        body += data[found + 4 : behind - 4]
    return data[:before], body, data[behind:]


def split(data: bytes, place: int, between: bytes = b"") -> bytes:
    before, body, behind = parted(data)
    return before + chunk(b"IDAT", body[:place]) + between + chunk(b"IDAT", body[place:]) + behind


def refilled(data: bytes, body: bytes) -> bytes:
    before, _, behind = parted(data)
    return before + chunk(b"IDAT", body) + behind


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]


@pytest.mark.parametrize("mode", PLAIN)
@pytest.mark.parametrize("size", [SIZE, (1, 1), (700, 400)])
def test_the_plain_ones_are_unpacked_by_libvips(mode: str, size: tuple[int, int]) -> None:
    data = png(picture(mode, size))
    found = Watched(BytesIO(data))
    found.load()
    assert found.given
    assert found.tobytes().endswith(found.given)
    assert not differing([data])


@MARKS[0]
@MARKS[1]
def test_every_png_of_the_corpus_comes_out_the_same() -> None:
    files = [file for file in CORPUS.rglob("*") if file.is_file()]
    pngs = [data for file in files if (data := file.read_bytes()).startswith(b"\x89PNG\r\n\x1a\n")]
    assert len(pngs) > 700
    assert not [data for data in pngs if rendered(data, "vips") != rendered(data, "pillow")]


OTHERS = {
    "palette": png(picture("P")),
    "palette with alpha": png(picture("P"), transparency=bytes(range(256))),
    "palette, two bits": png(picture("P").quantize(4), bits=2),
    "one bit": png(picture("1")),
    "one grey clear": png(picture("L"), transparency=7),
    "one colour clear": png(picture("RGB"), transparency=(1, 2, 3)),
    "one clear of 16 bits": png(picture("I;16"), transparency=1000),
    "profile": png(picture("RGB"), icc_profile=swapped_channels_profile()),
    "profile that is none": png(picture("RGB"), icc_profile=b"none"),
    "gamma": with_chunks(png(picture("RGB")), chunk(b"gAMA", (1000).to_bytes(4))),
    "exif": png(picture("RGB"), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"),
    "animated": png(picture("RGB"), save_all=True, append_images=[plain(size=SIZE)], default_image=True),
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
def test_every_other_kind_comes_out_the_same(kind: str) -> None:
    assert not differing([OTHERS[kind]])
    assert rendered(OTHERS[kind], "vips") == rendered(OTHERS[kind], "pillow")


@pytest.mark.parametrize("interlaced", [0, 1])
@pytest.mark.parametrize(
    ("color", "depth"), [(0, 1), (0, 2), (0, 4), (0, 16), (2, 16), (3, 4), (4, 16), (6, 16)]
)
def test_every_depth_comes_out_the_same(color: int, depth: int, interlaced: int) -> None:
    whole = black(SIZE, color, depth, interlaced=interlaced)
    cut = unfinished_png(SIZE, 9, color=color, depth=depth, interlaced=interlaced)
    assert not differing([whole, cut])


@pytest.mark.parametrize("mode", PLAIN)
def test_damage_anywhere_ends_the_same(mode: str) -> None:
    data = png(picture(mode, (9, 7)), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")
    assert not differing(data[:end] for end in range(8, len(data)))
    assert not differing(flipped(data, place) for place in range(8, len(data)))


@pytest.mark.parametrize("mode", PLAIN)
def test_damage_within_right_checksums_ends_the_same(mode: str) -> None:
    data = png(picture(mode, (9, 7)))
    _, body, _ = parted(data)
    assert not differing(refilled(data, body[:end]) for end in range(len(body)))
    assert not differing(refilled(data, flipped(body, place)) for place in range(len(body)))
    assert not differing(
        split(refilled(data, flipped(body, len(body) - 1)), place) for place in range(len(body))
    )
    assert not differing(refilled(data, body + bytes(count)) for count in range(9))


def doubtful(width: int) -> bytes:
    """Write rows of so many pixels in all, and a wrong sum of them."""
    data = png(picture("L", (width, 1)), compress_level=0)
    _, body, _ = parted(data)
    return refilled(data, flipped(body, len(body) - 2))


@pytest.mark.parametrize("width", range(8180, 8190))
def test_a_wrong_sum_of_all_pixels_is_judged_by_pillow(width: int) -> None:
    """libvips only warns of it where the sum alone is left of what it read, 8,192 bytes at a time."""
    wrong = doubtful(width)
    size = len(parted(wrong)[1])
    assert not differing([wrong, *(split(wrong, size - left) for left in range(9))])


def test_no_thread_takes_the_doubts_of_another_for_its_own() -> None:
    files = [doubtful(8184), png(picture("RGB", (300, 200)))] * 100
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(partial(decoded, VipsPngFile), files))
    assert found == [decoded(PngImageFile, data) for data in files[:2]] * 100


def test_rows_of_another_number_or_filter_end_the_same() -> None:
    data = png(picture("RGB"))
    rows = zlib.decompress(parted(data)[1])
    width = len(rows) // SIZE[1]
    others = [rows[:end] for end in range(0, len(rows), width // 3)] + [rows + bytes(99)]
    others += [rows[:width] + bytes([filter]) + rows[width + 1 :] for filter in range(12)]
    assert not differing(refilled(data, zlib.compress(each)) for each in others)


@pytest.mark.parametrize("name", KINDS)
def test_a_chunk_wherever_it_stands_ends_the_same(name: str) -> None:
    kind, data = name.encode(), png(picture("RGB"))
    before, body, behind = parted(data)
    for content in (b"", b"a\0b", bytes(6), bytes(26), bytes(768)):
        odd = chunk(kind, content)
        files = [
            with_chunks(data, odd),
            split(data, 40, odd),
            before + chunk(b"IDAT", body) + odd + behind,
            data + odd,
        ]
        assert not differing(files)
        assert not differing(flipped(file, file.index(odd) + len(odd) - 1) for file in files)


def test_damage_upon_damage_ends_the_same() -> None:
    chance = random.Random(5)

    def damaged() -> Iterator[bytes]:
        for _ in range(600):
            size = chance.choice([SIZE, (1, 90), (130, 60)])
            data = png(picture(chance.choice(PLAIN), size), compress_level=chance.randrange(10))
            data = split(data, chance.randrange(60))
            for _ in range(chance.randint(1, 3)):
                data = flipped(data, chance.randrange(33, len(data)))
            yield data[: chance.choice([len(data), chance.randrange(33, len(data))])]

    assert not differing(damaged())


@pytest.mark.parametrize("size", [(65_535, 366), (4_898, 4_898), SQUARE])
def test_it_takes_no_more_memory_than_pillow_may(size: tuple[int, int]) -> None:
    assert cost(black(size, 6, 8), "vips")[1] < AT_REST + PICTURE + 40 * 2**20


def test_without_its_package_the_start_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load({"IMGPIPE_PNG_DECODER": "vips"}).png_decoder == "vips"
    monkeypatch.setitem(sys.modules, "_libvips", None)  # as good as not installed
    with pytest.raises(ConfigError) as raised:
        load({"IMGPIPE_PNG_DECODER": "vips"})
    expected = "expected pillow, or vips with requirements-vips.txt installed"
    assert str(raised.value) == f"IMGPIPE_PNG_DECODER='vips': {expected}"


def test_a_server_makes_the_same_thumbnails_and_says_nothing_of_damage(tmp_path: Path) -> None:
    data = png(picture("RGBA", (900, 700)))
    with serving(tmp_path, IMGPIPE_PNG_DECODER="vips", WEB_CONCURRENCY="1") as server:
        found, broken = server.upload(data), server.upload(flipped(data, len(data) // 2))
        server.await_all_done()
        loaded = [Path(file.path).name for file in server.workers()[0].memory_maps()]
        small = server.fetch(f"/api/images/{found}/thumbnails/small").content
        assert server.get(f"/api/images/{broken}")["status"] == "failed"
    assert any(name.startswith("libvips") for name in loaded)
    assert small == next(item.data for item in run(data).derivatives if item.name == "small")
    assert "VIPS" not in server.output.read_text()
