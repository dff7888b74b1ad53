"""Make pictures that bear a number, and caption them for money: each call is written down as it begins."""

import io
import json
import os
import random
import time
from pathlib import Path

from PIL import Image

from imgpipe import captions

ACROSS, DOWN, BLOCK = 8, 4, 16  # a block for each of 32 bits, px
PAYMENTS = "PAYMENTS"  # the variable that names the file
CAPTIONER = "tests.crash.paid:Paid"
SLOW_S = 4.0  # longer than a lease under fire


def plate(number: int) -> bytes:
    """Return a picture that bears the number: every third one a JPEG, else a PNG."""
    image = Image.new("L", (ACROSS, DOWN))
    image.putdata([255 * (number >> bit & 1) for bit in range(ACROSS * DOWN)])
    file = io.BytesIO()
    large = image.resize((ACROSS * BLOCK, DOWN * BLOCK), Image.Resampling.NEAREST)
    large.convert("RGB").save(file, "PNG" if number % 3 else "JPEG", quality=90)
    return file.getvalue()


def read_plate(data: bytes) -> int:
    """Return the number that a picture bears."""
    image = Image.open(io.BytesIO(data)).convert("L")
    middle = BLOCK // 2
    places = ((x * BLOCK + middle, y * BLOCK + middle) for y in range(DOWN) for x in range(ACROSS))
    lit = (image.getpixel(place) for place in places)
    return sum((int(str(grey)) > 127) << bit for bit, grey in enumerate(lit))


def sentence(number: int) -> str:
    """Return the caption of a number."""
    return f"Plate {number}"


class Paid:
    """Tell the number; now and then be busy, be broken, or take longer than a lease lasts."""

    provider, model, fingerprint = "paid", "plates", "paid:plates"

    def __init__(self, settings: captions.Settings) -> None:
        self._file = os.open(os.environ[PAYMENTS], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def caption(self, jpeg: bytes) -> captions.Caption:
        """Write the call down, then answer."""
        number = read_plate(jpeg)
        call = {"number": number, "at": time.monotonic_ns(), "pid": os.getpid()}
        os.write(self._file, json.dumps(call).encode() + b"\n")
        chance = random.random()
        time.sleep(SLOW_S if chance < 0.01 else random.uniform(0, 0.1))
        if chance > 0.9:
            raise captions.CaptionError("rate_limited", "Slow down", retryable=True)
        if chance > 0.86:
            raise captions.CaptionError("refused", "No.")
        return captions.Caption(sentence(number), self.provider, self.model)

    def ping(self) -> None:
        """Do nothing."""


def payments(file: Path) -> list[dict[str, int]]:
    """List the calls."""
    return [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []
