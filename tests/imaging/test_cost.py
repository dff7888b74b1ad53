"""No header that is accepted makes the decoder take memory or time without bound."""

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from imgpipe.imaging.limits import PNG_BYTES_PER_PIXEL
from imgpipe.imaging.png import PASSES
from tests.imaging.pictures import chunk, noise, progressive
from tests.imaging.test_extended_formats import encode

LIMIT = 64_000_000
SQUARE, WIDE, HIGH = (8000, 8000), (65_535, 976), (976, 65_535)
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Of the process, as the kernel counts it: what it takes at rest, and 4 bytes a pixel for the picture itself.
AT_REST, PICTURE = 110 * 2**20, 4 * LIMIT
PEAK = """
import sys, time
from imgpipe.imaging.formats import FORMATS
from imgpipe.imaging.pipeline import run
from imgpipe.imaging.probe import probe
data = sys.stdin.buffer.read()
began = time.process_time()
probe(data, 64_000_000, tuple(FORMATS))
run(data, png_decoder=sys.argv[1])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(time.process_time() - began, int(peak.split()[1]) * 1024)
"""


def black(
    size: tuple[int, int], color: int, depth: int, clear: bytes | None = None, interlaced: int = 0
) -> bytes:
    """Write a PNG of any kind with all its rows, each a repetition of the one above."""
    packer, packed = zlib.compressobj(1), []
    for x, dx, y, dy in PASSES if interlaced else ((0, 1, 0, 1),):
        columns, rows = -(-(size[0] - x) // dx), -(-(size[1] - y) // dy)
        row = b"\2" + bytes(-(-columns * CHANNELS[color] * depth // 8))
        packed += [packer.compress(row) for _ in range(rows)]
    chunks = chunk(b"IHDR", struct.pack(">LLBBBBB", *size, depth, color, 0, 0, interlaced))
    chunks += chunk(b"PLTE", bytes(768)) if color == 3 else b""
    chunks += chunk(b"tRNS", clear) if clear else b""
    body = chunk(b"IDAT", b"".join(packed) + packer.flush())
    return b"\x89PNG\r\n\x1a\n" + chunks + body + chunk(b"IEND")


def cost(data: bytes, png_decoder: str = "pillow") -> tuple[float, int]:
    """Render in a process of its own; returns its CPU time, s, and its greatest memory, bytes."""
    root = Path(__file__).parents[2]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", PEAK, png_decoder]
    done = subprocess.run(command, input=data, capture_output=True, check=True, env=environ)
    seconds, peak = done.stdout.split()
    return float(seconds), int(peak)


WORST = {
    "16 bits with alpha": lambda: black(SQUARE, 6, 16),
    "palette with alpha": lambda: black(SQUARE, 3, 8, b"\x80"),
    "16 bits grey, one level clear": lambda: black(WIDE, 0, 16, b"\0\1"),
}
OTHERS = {
    "one bit": lambda: black(SQUARE, 0, 1, b"\0\0"),
    "grey": lambda: black(SQUARE, 0, 8, b"\0\1"),
    "colour, one clear": lambda: black(SQUARE, 2, 8, bytes(6)),
    "16 bits colour, one clear": lambda: black(SQUARE, 2, 16, bytes(6)),
    "grey with alpha": lambda: black(SQUARE, 4, 8),
    "16 bits grey with alpha": lambda: black(SQUARE, 4, 16),
    "as high as can be": lambda: black(HIGH, 6, 16),
    "as wide as can be": lambda: black(WIDE, 6, 16),
    "interlaced": lambda: black(SQUARE, 6, 16, interlaced=1),
}


@pytest.mark.parametrize("kind", WORST)
def test_the_worst_pngs_take_little_more_memory_than_the_picture(kind: str) -> None:
    assert cost(WORST[kind]())[1] < AT_REST + PICTURE + 40 * 2**20


@pytest.mark.soak
@pytest.mark.parametrize("kind", OTHERS)
def test_every_other_png_takes_no_more(kind: str) -> None:
    assert cost(OTHERS[kind]())[1] < AT_REST + PICTURE + 60 * 2**20


@pytest.mark.soak
@pytest.mark.parametrize("components", [1, 3, 4])
def test_a_progressive_jpeg_takes_what_its_coefficients_do(components: int) -> None:
    seconds, peak = cost(progressive(*SQUARE, 37 - components, components=components))
    assert peak < AT_REST + 2 * components * LIMIT + 40 * 2**20
    assert seconds < 10  # twice the bound: a machine that others use is no fault of the code


@pytest.mark.soak
def test_the_dearest_arithmetic_jpeg_ends_soon() -> None:
    assert cost(progressive(2200, 2200, 99, arithmetic=True))[0] < 10


# The largest of each that is accepted: megapixels, mode, and how it is written.
EXTENDED: dict[str, tuple[float, str, dict[str, Any]]] = {
    "webp": (22.5, "RGB", {"method": 0}),
    "webp with alpha": (22.5, "RGBA", {"method": 0}),
    "avif": (40.4, "RGB", {"speed": 10, "subsampling": "4:2:0"}),
    "avif at full colour": (31.9, "RGB", {"speed": 10, "subsampling": "4:4:4"}),
    "avif with alpha": (31.9, "RGBA", {"speed": 10, "subsampling": "4:2:0"}),
    "heic": (51, "RGB", {}),
    "heic with alpha": (31.9, "RGBA", {}),
}


@pytest.mark.soak
@pytest.mark.parametrize("kind", EXTENDED)
def test_the_largest_of_the_other_formats_take_what_a_png_does(kind: str) -> None:
    megapixels, mode, options = EXTENDED[kind]
    side = int((megapixels * 1e6) ** 0.5)
    picture = noise((70, 70)).convert("RGB").resize((side, side))
    if mode == "RGBA":
        picture.putalpha(128)
    data = encode(kind.split()[0], picture, **options)
    assert cost(data)[1] < AT_REST + PNG_BYTES_PER_PIXEL * LIMIT
