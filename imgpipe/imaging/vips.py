"""Unpack the pixels of plain PNGs by libvips; those of a photograph take it half the time of Pillow."""

import threading
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pyvips
from PIL.PngImagePlugin import PngImageFile

_MOST_PIXELS = 24_000_000  # it keeps up to as much besides: in all no more than Pillow takes for 64 million
# What both unpack to the same values: Pillow's names for what the file holds, and for what libvips gives.
_PLAIN = {"L": "L", "LA": "LA", "RGB": "RGB", "RGBA": "RGBA", "I;16B": "I;16N"}
_heard = threading.local()


def _hear(warning: object) -> bool:
    """Note a warning, which comes in the thread that unpacks, and keep it from the log."""
    _heard.doubt = True
    return False


pyvips.logger.setLevel("WARNING")
pyvips.logger.addFilter(_hear)
pyvips.cache_set_max(0)


class VipsPngFile(PngImageFile):
    """A PNG with the pixels, ``info`` and errors of Pillow, whose rows libvips unpacks where they are plain.

    Pillow reads all else, and decodes from the beginning whatever libvips refuses or warns of.
    """

    _strips: Iterator[bytes] | None = None

    def load(self) -> Any:
        known = self.tile and self.tile[0].args in _PLAIN and not self.info.get("interlace")
        if known and self.width * self.height <= _MOST_PIXELS and isinstance(self.fp, BytesIO):
            source, _heard.doubt = self.fp.getvalue(), False
            try:
                self._strips = self._unpack(source)
                super().load()
            except Exception:
                _heard.doubt = True
            self._strips = None
            if _heard.doubt:
                super().__init__(BytesIO(source))
        return super().load()

    def load_read(self, read_bytes: int) -> bytes:
        return next(self._strips, b"") if self._strips else super().load_read(read_bytes)

    def _unpack(self, source: bytes) -> Iterator[bytes]:
        image, tile = pyvips.Image.pngload_buffer(source, access="sequential", fail_on="error"), self.tile[0]
        if (tile.extents, len(self.getbands())) != ((0, 0, image.width, image.height), image.bands):
            raise ValueError
        self.tile = [tile._replace(codec_name="raw", args=(_PLAIN[str(tile.args)], 0, 1))]
        region, tops = pyvips.Region.new(image), range(0, self.height, max(1, (1 << 17) // self.width))
        return (region.fetch(0, top, self.width, min(tops.step, self.height - top)) for top in tops)
