"""A picture's colour is the one that covers most of it, and its hash stays where its content does."""

from io import BytesIO

import pytest
from PIL import Image, ImageDraw, ImageOps

from imgpipe.imaging.fingerprint import distance, dominant_color, perceptual_hash
from imgpipe.imaging.pipeline import run
from tests.corpus import CORPUS, MARKS, entries
from tests.imaging.pictures import BLUE, RED, jpeg, noise, plain, png

NEAR = 6  # what `similar` asks for unless told otherwise


def scene(number: int = 0, size: tuple[int, int] = (480, 360)) -> Image.Image:
    """Paint a sky, a ground and a few things at places of their own."""
    picture = Image.new("RGB", (480, 360), (150 - 9 * number, 180, 220))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 230 + 20 * number, 480, 360), fill=(70, 110 + 5 * number, 60))
    for thing in range(5):
        x, y = (97 * (thing + 1) * (number + 3)) % 400, (61 * (thing + 2) * (number + 5)) % 280
        draw.ellipse((x, y, x + 90, y + 70), fill=((x * 3) % 256, (y * 5) % 256, 40 * thing))
    return picture.resize(size)


def hashed(picture: Image.Image) -> int:
    found = perceptual_hash(picture)
    assert found is not None
    return found


def reread(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data)).convert("RGB")


@pytest.mark.parametrize(
    ("picture", "color"),
    [
        (plain(color=(90, 125, 156)), "#5a7d9c"),
        (plain(size=(1, 1)), "#ff0000"),
        (plain(size=(2000, 1)), "#ff0000"),
        (plain("RGBA", color=(*BLUE, 255)), "#0000ff"),
    ],
)
def test_a_plain_picture_has_its_own_colour(picture: Image.Image, color: str) -> None:
    assert dominant_color(picture) == color


def test_the_colour_is_that_of_the_larger_part_and_no_mean_of_both() -> None:
    picture = plain(size=(300, 300), color=RED)
    picture.paste(BLUE, (0, 0, 300, 120))
    assert dominant_color(picture) == "#ff0000"


def test_what_cannot_be_seen_has_no_colour() -> None:
    picture = plain("RGBA", (300, 300), (*RED, 0))
    assert dominant_color(picture) is None
    picture.paste((*BLUE, 255), (0, 0, 30, 30))
    assert dominant_color(picture) == "#0000ff"


@pytest.mark.parametrize("quality", [30, 60, 90])
def test_recompression_hardly_changes_the_hash(quality: int) -> None:
    picture = scene()
    assert distance(hashed(picture), hashed(reread(jpeg(picture, quality=quality)))) <= 2


@pytest.mark.parametrize("size", [(240, 180), (120, 90), (512, 384), (64, 48)])
def test_another_size_hardly_changes_the_hash(size: tuple[int, int]) -> None:
    assert distance(hashed(scene()), hashed(scene(size=size))) <= 2


def test_a_slight_crop_leaves_the_hash_near() -> None:
    picture = scene()
    assert distance(hashed(picture), hashed(picture.crop((5, 4, 475, 356)))) <= NEAR


@pytest.mark.parametrize("change", [ImageOps.mirror, ImageOps.flip, ImageOps.invert])
def test_a_mirror_image_and_a_negative_are_strangers(change: object) -> None:
    picture = scene()
    assert callable(change)
    assert distance(hashed(picture), hashed(change(picture))) > 2 * NEAR


def test_different_scenes_are_far_apart() -> None:
    hashes = [hashed(scene(number)) for number in range(5)]
    assert all(distance(one, other) > 2 * NEAR for one in hashes for other in hashes if one is not other)


def test_colour_alone_makes_no_difference() -> None:
    picture = scene()
    assert distance(hashed(picture), hashed(picture.convert("L").convert("RGB"))) == 0


def test_what_shows_through_is_hashed_on_white() -> None:
    picture = plain("RGBA", (200, 200), (0, 0, 0, 0))
    picture.paste((*BLUE, 255), (20, 30, 120, 90))
    flat = plain("RGB", (200, 200), (255, 255, 255))
    flat.paste(BLUE, (20, 30, 120, 90))
    assert hashed(picture) == hashed(flat)


@pytest.mark.parametrize("picture", [plain(), plain(size=(1, 1)), plain("RGBA", color=(0, 0, 0, 0))])
def test_a_blank_picture_has_no_hash(picture: Image.Image) -> None:
    assert perceptual_hash(picture) is None


def test_a_hash_is_a_signed_64_bit_number() -> None:
    hashes = [hashed(noise((64, 64)).convert("RGB")) for _ in range(20)]
    assert all(-(2**63) <= value < 2**63 for value in hashes)
    assert min(hashes) < 0 < max(hashes)


@pytest.mark.parametrize(("one", "other", "bits"), [(0, 0, 0), (-1, 0, 64), (-1, 1, 63), (5, 6, 2)])
def test_the_distance_counts_bits(one: int, other: int, bits: int) -> None:
    assert distance(one, other) == bits


def test_the_pipeline_brings_both() -> None:
    work = run(png(scene(size=(1600, 1200))))
    assert work.color in ("#96b4db", "#96b4dc")
    assert distance(work.perceptual_hash or 0, hashed(scene())) <= 1


@MARKS[0]
def test_copies_of_real_pictures_are_near() -> None:
    photos = [entry for entry in entries("must_succeed") if entry["file"].startswith("exif-")][:40]
    assert photos
    for entry in photos:
        work = run((CORPUS / entry["file"]).read_bytes())
        if work.perceptual_hash is not None and work.picture.mode == "RGB" and min(work.picture.size) >= 64:
            copy = reread(jpeg(work.picture.resize((200, 150)), quality=50))
            assert distance(work.perceptual_hash, hashed(copy)) <= NEAR, entry["file"]
