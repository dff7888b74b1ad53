"""The content box cuts the picture out of its square, to the pixel: compared with Pillow's own resizing."""

from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from imgpipe.imaging.geometry import Box
from imgpipe.imaging.pipeline import run
from imgpipe.imaging.recipe import SQUARE, square_box
from tests.corpus import CORPUS, MARKS, Entry, entries

pytestmark = MARKS
# Of smaller ones a JPEG's blocks leave nothing to compare; what has no pattern looks the same when shifted.
LEAST_PX, LEAST_DEVIATION = 32, 10
MOST_APART = 8  # grey levels, on average: the JPEG's share
SHIFTS = [(across, down) for across in (-1, 0, 1) for down in (-1, 0, 1)]
Grey = NDArray[np.float64]


def resized(data: bytes, size: tuple[int, int]) -> Grey:
    """Return the grey values of a picture upright, in sRGB, on black, and of this size."""
    picture = Image.open(BytesIO(data))
    picture.load()
    profile = picture.info.get("icc_profile")
    upright = ImageOps.exif_transpose(picture)
    if upright.mode == "I;16":
        upright = upright.point(lambda level: level / 257).convert("L")
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
    if profile:
        with suppress(ImageCms.PyCMSError, OSError, ValueError):
            through = ImageCms.ImageCmsProfile(BytesIO(profile))
            mode = "RGBA" if upright.mode == "RGBA" else "RGB"
            srgb = ImageCms.createProfile("sRGB")
            upright = ImageCms.profileToProfile(upright, through, srgb, outputMode=mode) or upright
    if upright.mode == "RGBA":
        black = Image.new("RGBA", upright.size, (0, 0, 0, 255))
        upright = Image.alpha_composite(black, upright)
    return grey(upright.convert("RGB").resize(size, Image.Resampling.LANCZOS))


def grey(picture: Image.Image) -> Grey:
    return np.asarray(picture.convert("L"), np.float64)


def fault(entry: Entry) -> str | None:
    """Say how the box of a picture misses it."""
    data = (CORPUS / entry["file"]).read_bytes()
    (square,) = (made.data for made in run(data).derivatives if made.name == SQUARE)
    left, top, right, bottom = box_of(entry)
    expected = resized(data, (right - left, bottom - top))
    shown = Image.open(BytesIO(square))
    apart = {
        (across, down): float(np.abs(grey(shown.crop(box)) - expected).mean())
        for across, down in SHIFTS
        if min(box := (left + across, top + down, right + across, bottom + down)) >= 0 and max(box) <= 512
    }
    if apart[0, 0] > MOST_APART:
        return f"{apart[0, 0]:.1f} grey levels apart"
    nearest = min(apart, key=lambda shift: apart[shift])
    shifted = nearest != (0, 0) and expected.std() >= LEAST_DEVIATION
    return f"nearer when shifted by {nearest}" if shifted else None


def box_of(entry: Entry) -> Box:
    width, height = entry["oriented_size"]
    return square_box((width, height))


def large() -> list[Entry]:
    """List the pictures whose pixels can be told apart in a JPEG."""
    listed = ((entry, box_of(entry)) for entry in entries("must_succeed"))
    return [entry for entry, box in listed if min(box[2] - box[0], box[3] - box[1]) >= LEAST_PX]


@pytest.mark.parametrize(
    "step", [pytest.param(40, id="some"), pytest.param(1, id="all", marks=pytest.mark.soak)]
)
def test_the_box_cuts_exactly_the_picture_out(step: int) -> None:
    chosen = large()[::step]
    faults = {entry["file"]: found for entry in chosen if (found := fault(entry))}
    assert (len(chosen) > 10, faults) == (True, {})
