"""Make pictures that cost what photos cost: soft ground, texture on every scale, hard edges, sensor noise."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

TEXTURE_SIZES = (6, 24, 96, 384, 1536)


def photo(seed: int, size: tuple[int, int]) -> Image.Image:
    """Draw an RGB picture of ``size`` (width, height) px, the same one for the same seed."""
    random = np.random.default_rng(seed)
    picture = Image.new("RGB", size, (128, 128, 128))
    for grains in TEXTURE_SIZES:
        noise = random.integers(0, 256, (grains, grains, 3), dtype=np.uint8)
        layer = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
        picture = Image.blend(picture, layer, 0.25)
    _draw_edges(picture, random)
    grain = random.integers(-6, 7, (size[1], size[0], 1), dtype=np.int16)
    return Image.fromarray(np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8))


def jpeg(picture: Image.Image, progressive: bool = False, quality: int = 80) -> bytes:
    """Encode with 4:2:0; at quality 80 a 12 MP ``photo`` has the 3 MB that a phone's has."""
    out = BytesIO()
    picture.save(out, "JPEG", quality=quality, progressive=progressive)
    return out.getvalue()


def png(picture: Image.Image) -> bytes:
    """Encode as PNG at zlib's default level."""
    out = BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _draw_edges(picture: Image.Image, random: np.random.Generator) -> None:
    draw = ImageDraw.Draw(picture)
    for _ in range(60):
        x, y = (int(random.integers(0, side)) for side in picture.size)
        reach = int(random.integers(10, picture.width // 6))
        color = tuple(int(level) for level in random.integers(0, 256, 3))
        draw.ellipse((x, y, x + reach, y + reach // 2), outline=color, width=int(random.integers(1, 30)))
        draw.line((x, y, x + reach, y - reach), fill=color, width=int(random.integers(1, 12)))
