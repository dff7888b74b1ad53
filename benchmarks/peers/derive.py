"""Make small, medium and square beside a picture, the way Pillow's manual has it, a JPEG decoded at scale."""

from pathlib import Path

from PIL import Image, ImageOps

SIZE = (512, 512)


def derive(path: Path) -> None:
    with Image.open(path) as picture:
        picture.thumbnail(SIZE)
        medium = ImageOps.exif_transpose(picture).convert("RGB")
    medium.save(path.with_suffix(".medium"), "JPEG", quality=85)
    small = medium.copy()
    small.thumbnail((128, 128))
    small.save(path.with_suffix(".small"), "JPEG", quality=85)
    ImageOps.pad(medium, SIZE).save(path.with_suffix(".square"), "JPEG", quality=85)
