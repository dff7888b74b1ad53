"""Every kind of picture that has broken an earlier program comes out as its eyes would want it."""

import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from imgpipe.imaging.pipeline import STEPS, run
from tests.imaging.pictures import (
    BLACK,
    BLUE,
    GREEN,
    RED,
    WHITE,
    Pixel,
    chunk,
    derived,
    is_near,
    jpeg,
    mpo,
    noise,
    pixels,
    plain,
    png,
    quarters,
    swapped_channels_profile,
    with_chunks,
)

Encode = Callable[..., bytes]
ALL: tuple[str, ...] = ("small", "medium", "square")


def test_the_steps_read_as_the_specification() -> None:
    names = [step.__name__ for step in STEPS]
    shrunk = ["describe", "shrink", "orient", "to_srgb", "flatten"]
    assert names == [*shrunk, "fingerprint", "thumbnails", "square"]


def test_each_step_is_timed_under_its_name() -> None:
    assert list(run(jpeg(plain())).timings_ms) == [step.__name__ for step in STEPS]


@pytest.mark.parametrize("encode", [jpeg, png])
def test_a_photo_gets_its_three_derivatives_in_their_sizes(encode: Encode) -> None:
    made = {item.name: (item.width, item.height) for item in run(encode(plain(size=(1000, 700)))).derivatives}
    assert made == {"medium": (512, 358), "small": (128, 90), "square": (512, 512)}


def test_what_a_derivative_says_of_itself_is_true() -> None:
    for item in run(jpeg(plain(size=(900, 300)))).derivatives:
        picture = Image.open(BytesIO(item.data))
        assert (picture.size, picture.format) == ((item.width, item.height), "JPEG")


def test_a_small_picture_is_not_enlarged_but_for_the_canvas_of_the_square() -> None:
    sizes = [(item.width, item.height) for item in run(png(plain(size=(40, 30)))).derivatives]
    assert sizes == [(40, 30), (40, 30), (512, 512)]


def test_a_single_pixel_comes_through() -> None:
    assert pixels(png(plain(size=(1, 1))), "medium").size == (1, 1)


@pytest.mark.parametrize("encode", [jpeg, png])
def test_a_hair_of_20000_by_3_keeps_a_side_of_one(encode: Encode) -> None:
    assert pixels(encode(plain(size=(20_000, 3))), "small").size == (128, 1)


def test_the_square_centres_the_picture_on_black() -> None:
    square = pixels(jpeg(plain(size=(1000, 500))), "square")
    assert is_near(square.getpixel((256, 256)), RED)
    assert is_near(square.getpixel((256, 100)), BLACK)
    assert is_near(square.getpixel((256, 411)), BLACK)


def test_a_saved_photo_is_quality_85_with_halved_colour() -> None:
    medium = JpegImageFile(BytesIO(derived(jpeg(plain(size=(600, 400))), "medium").data))
    reference = JpegImageFile(BytesIO(jpeg(plain(), quality=85)))
    assert medium.quantization == reference.quantization
    assert [component[1:3] for component in medium.layer] == [(2, 2), (1, 1), (1, 1)]


CORNERS = ((8, 8), (-8, 8), (8, -8), (-8, -8))
# Where the stored red, green, blue and white quarter stand once upright: EXIF 2.32, tag 0x0112.
UPRIGHT: dict[int, tuple[Pixel, ...]] = {
    1: (RED, GREEN, BLUE, WHITE),
    2: (GREEN, RED, WHITE, BLUE),
    3: (WHITE, BLUE, GREEN, RED),
    4: (BLUE, WHITE, RED, GREEN),
    5: (RED, BLUE, GREEN, WHITE),
    6: (BLUE, RED, WHITE, GREEN),
    7: (WHITE, GREEN, BLUE, RED),
    8: (GREEN, WHITE, RED, BLUE),
    0: (RED, GREEN, BLUE, WHITE),
    9: (RED, GREEN, BLUE, WHITE),
}


@pytest.mark.parametrize("encode", [jpeg, png])
@pytest.mark.parametrize(("orientation", "colors"), UPRIGHT.items())
def test_a_turned_picture_stands_upright(encode: Encode, orientation: int, colors: tuple[Pixel, ...]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    medium = pixels(encode(quarters((1200, 900)), exif=exif), "medium")
    assert medium.size == ((384, 512) if orientation in {5, 6, 7, 8} else (512, 384))
    found = [medium.getpixel((x % medium.width, y % medium.height)) for x, y in CORNERS]
    assert all(is_near(pixel, color, 12) for pixel, color in zip(found, colors, strict=True))


def test_a_transparent_png_keeps_its_alpha() -> None:
    picture = plain("RGBA", (600, 400), (0, 0, 0, 0))
    picture.paste((*RED, 255), (300, 0, 600, 400))
    for name in ("small", "medium"):
        thumbnail = pixels(png(picture), name)
        assert (thumbnail.format, thumbnail.mode) == ("PNG", "RGBA")
        assert thumbnail.getpixel((2, 2)) == (0, 0, 0, 0)
        assert thumbnail.getpixel((thumbnail.width - 2, 2)) == (255, 0, 0, 255)


def test_the_square_of_a_transparent_png_is_opaque_on_black() -> None:
    square = derived(png(plain("RGBA", color=(255, 0, 0, 128))), "square")
    picture = Image.open(BytesIO(square.data))
    assert (square.format, picture.mode) == ("jpg", "RGB")
    assert is_near(picture.getpixel((256, 256)), (128, 0, 0))


def test_the_colour_hidden_under_transparency_does_not_bleed() -> None:
    picture = plain("RGBA", (1024, 1024), (*GREEN, 0))
    picture.paste((*RED, 255), (0, 0, 514, 1024))
    medium = pixels(png(picture), "medium")
    edge = [medium.getpixel((x, 256)) for x in range(250, 262)]
    assert all(pixel[1] <= 2 for pixel in edge if isinstance(pixel, tuple) and pixel[3] > 8)


def test_an_alpha_channel_that_hides_nothing_makes_a_jpeg() -> None:
    assert derived(png(plain("RGBA", color=(*RED, 255))), "medium").format == "jpg"


def test_grey_with_alpha_keeps_its_alpha() -> None:
    medium = pixels(png(plain("LA", color=(200, 100))), "medium")
    assert medium.getpixel((5, 5)) == (200, 200, 200, 100)


def test_a_palette_is_shrunk_in_true_colour() -> None:
    stripes = plain("P", (1024, 1024), 0)
    stripes.putpalette([*RED, *BLUE])
    for x in range(1, 1024, 2):
        stripes.paste(1, (x, 0, x + 1, 1024))
    assert is_near(pixels(png(stripes), "medium").getpixel((256, 256)), (128, 0, 128))


def test_a_transparent_palette_colour_stays_transparent() -> None:
    picture = plain("P", color=0)
    picture.putpalette([*RED, *BLUE])
    picture.paste(1, (0, 0, 20, 30))
    medium = pixels(png(picture, transparency=0), "medium")
    assert medium.getpixel((35, 15)) == (*RED, 0) or medium.getpixel((35, 15)) == (0, 0, 0, 0)
    assert medium.getpixel((5, 15)) == (*BLUE, 255)


def test_a_transparent_colour_of_an_rgb_picture_stays_transparent() -> None:
    picture = plain(color=RED)
    picture.paste(BLUE, (0, 0, 20, 30))
    medium = pixels(png(picture, transparency=RED), "medium")
    assert [medium.getchannel("A").getpixel(at) for at in ((35, 15), (5, 15))] == [0, 255]


def test_one_bit_is_shrunk_to_grey() -> None:
    board = plain("1", (1024, 1024), 0)
    for x in range(0, 1024, 2):
        board.paste(1, (x, 0, x + 1, 1024))
    assert is_near(pixels(png(board), "medium").getpixel((256, 256)), (128, 128, 128))


def _grey_16_bit(levels: list[int], *chunks: bytes) -> bytes:
    rows = b"\0" + struct.pack(f">{len(levels)}H", *levels)
    header = struct.pack(">LLBBBBB", len(levels), 1, 16, 0, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND")
    )
    return with_chunks(data, *chunks)


def test_16_bit_grey_is_scaled_not_clipped_to_white() -> None:
    medium = run(_grey_16_bit([0, 257 * 100, 257 * 200, 65_535])).picture
    assert [medium.getpixel((x, 0)) for x in range(4)] == [(0,) * 3, (100,) * 3, (200,) * 3, (255,) * 3]


def test_16_bit_grey_keeps_its_one_transparent_level() -> None:
    clear = chunk(b"tRNS", struct.pack(">H", 1000))
    medium = run(_grey_16_bit([1000, 1001, 65_535], clear)).picture
    assert medium.getchannel("A").tobytes() == bytes([0, 255, 255])


def test_large_16_bit_grey_shrinks() -> None:
    picture = plain("I;16", (1500, 900), 30_000)
    assert is_near(pixels(png(picture), "medium").getpixel((200, 100)), (117, 117, 117))


def test_a_cmyk_jpeg_becomes_rgb() -> None:
    medium = pixels(jpeg(plain("CMYK", (600, 400), (0, 255, 255, 0))), "medium")
    assert medium.mode == "RGB"
    assert is_near(medium.getpixel((50, 50)), RED)


def test_a_grey_jpeg_comes_through() -> None:
    assert is_near(pixels(jpeg(plain("L", color=90)), "medium").getpixel((5, 5)), (90, 90, 90))


@pytest.mark.parametrize("encode", [jpeg, png])
def test_an_embedded_profile_is_turned_into_srgb(encode: Encode) -> None:
    medium = pixels(encode(plain(color=GREEN), icc_profile=swapped_channels_profile()), "medium")
    assert is_near(medium.getpixel((5, 5)), RED)


def test_a_profile_is_applied_to_what_shows_through_as_well() -> None:
    picture = plain("RGBA", color=(*GREEN, 128))
    medium = pixels(png(picture, icc_profile=swapped_channels_profile()), "medium")
    assert is_near(medium.getpixel((5, 5)), (*RED, 128))


@pytest.mark.parametrize("profile", [b"junk", swapped_channels_profile()[:200], b"\0" * 500])
def test_a_broken_profile_leaves_the_colours_as_they_are(profile: bytes) -> None:
    assert is_near(pixels(jpeg(plain(), icc_profile=profile), "medium").getpixel((5, 5)), RED)


def test_a_profile_of_another_colour_space_leaves_the_colours_as_they_are() -> None:
    data = jpeg(plain("CMYK", color=(0, 255, 255, 0)), icc_profile=swapped_channels_profile())
    assert is_near(pixels(data, "medium").getpixel((5, 5)), RED)


def test_an_mpo_gives_its_first_frame() -> None:
    work = run(mpo(plain(color=RED), plain(color=BLUE)))
    assert work.metadata["format"] == "jpg"
    assert is_near(work.picture.getpixel((5, 5)), RED)


def test_an_apng_gives_its_first_frame() -> None:
    data = png(plain(color=RED), save_all=True, append_images=[plain(color=BLUE)])
    assert is_near(pixels(data, "medium").getpixel((5, 5)), RED)


def test_an_interlaced_png_comes_through() -> None:
    # Seven passes over one pixel: the first holds it, the others are empty.
    header = struct.pack(">LLBBBBB", 1, 1, 8, 2, 0, 0, 1)
    body = zlib.compress(b"\0" + bytes(RED))
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND")
    assert is_near(pixels(data, "medium").getpixel((0, 0)), RED)


@pytest.mark.parametrize("name", ALL)
def test_a_derivative_carries_no_exif_gps_comment_xmp_or_profile(name: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRET-MAKER"
    exif.get_ifd(0x8825).update({1: "N", 2: (51.0, 30.0, 0.0)})
    data = jpeg(
        plain(size=(600, 400)),
        exif=exif,
        comment=b"SECRET-COMMENT",
        xmp=b"SECRET-XMP",
        icc_profile=swapped_channels_profile(),
    )
    found = derived(data, name).data
    assert not any(trace in found for trace in (b"SECRET", b"Exif", b"ICC_PROFILE", b"xap"))


@pytest.mark.parametrize("name", ALL)
def test_a_derived_png_carries_no_text_exif_or_profile(name: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRET-MAKER"
    picture = plain("RGBA", color=(*RED, 100))
    secret = chunk(b"tEXt", b"Comment\0SECRET-COMMENT")
    data = with_chunks(png(picture, exif=exif, icc_profile=swapped_channels_profile()), secret)
    found = derived(data, name).data
    assert not any(trace in found for trace in (b"SECRET", b"eXIf", b"iCCP", b"tEXt"))


def test_many_threads_give_what_one_gives() -> None:
    profile = swapped_channels_profile()
    photos = [noise((900 + 10 * number, 700)).convert("RGB") for number in range(8)]
    sources = [jpeg(photo, icc_profile=profile) for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        together = [work.derivatives for work in pool.map(run, sources)]
    assert together == [run(source).derivatives for source in sources]
