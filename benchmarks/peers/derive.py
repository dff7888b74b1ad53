"""Make small, medium and square beside a picture, as Pillow's manual has it: each of them from the file."""

from pathlib import Path

from PIL import Image, ImageOps

SIZES = {"small": 128, "medium": 512}
SQUARE = (512, 512)


def derive(path: Path) -> None:
    for name, side in SIZES.items():
        with Image.open(path) as picture:
            picture.thumbnail((side, side))
            picture.convert("RGB").save(path.with_suffix(f".{name}"), "JPEG", quality=85)
    with Image.open(path) as picture:
        ImageOps.pad(picture.convert("RGB"), SQUARE).save(path.with_suffix(".square"), "JPEG", quality=85)
