"""WebP, AVIF and HEIC come in where they are accepted, with the limits and derivatives of a JPEG."""

import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pillow_heif
import pytest
from PIL import Image

from imgpipe.errors import CorruptImage, TooComplex, TooManyPixels, UnsupportedType
from imgpipe.imaging.formats import FORMATS
from imgpipe.imaging.limits import PNG_BYTES_PER_PIXEL, check_size
from imgpipe.imaging.pipeline import run
from imgpipe.imaging.probe import Header, probe
from tests.factories import AppFactory, post, shown, upload
from tests.imaging.pictures import (
    BLUE,
    GREEN,
    RED,
    WHITE,
    is_near,
    noise,
    plain,
    quarters,
    swapped_channels_profile,
)

LIMIT = 64_000_000
EXTENDED = ("webp", "avif", "heic")
EVERY = tuple(FORMATS)
each = pytest.mark.parametrize("kind", EXTENDED)


def encode(kind: str, picture: Image.Image, **options: Any) -> bytes:
    out = BytesIO()
    if kind == "heic":
        pillow_heif.from_pillow(picture).save(out, quality=95, **options)
    else:
        picture.save(out, kind.upper(), quality=95, **options)
    return out.getvalue()


def check(data: bytes) -> Header:
    return probe(data, LIMIT, EVERY)


def take(data: bytes) -> None:
    check(data)
    run(data)


@each
def test_a_header_tells_the_size(kind: str) -> None:
    assert check(encode(kind, plain(size=(64, 48)))) == Header(kind, 64, 48)


@each
def test_it_is_unsupported_unless_accepted(kind: str) -> None:
    with pytest.raises(UnsupportedType) as caught:
        probe(encode(kind, plain(size=(64, 48))), LIMIT)
    assert caught.value.message == "Unsupported file type. Use JPG or PNG."


@each
def test_it_gets_its_derivatives(kind: str) -> None:
    work = run(encode(kind, quarters((1000, 700))))
    made = {item.name: (item.width, item.height, item.format) for item in work.derivatives}
    assert made == {"medium": (512, 358, "jpg"), "small": (128, 90, "jpg"), "square": (512, 512, "jpg")}
    corners = [work.picture.getpixel(at) for at in ((8, 8), (500, 8), (8, 350), (500, 350))]
    assert all(map(is_near, corners, (RED, GREEN, BLUE, WHITE), [16] * 4))


@each
def test_it_keeps_its_alpha(kind: str) -> None:
    picture = plain("RGBA", (600, 400), (0, 0, 0, 0))
    picture.paste((*RED, 255), (300, 0, 600, 400))
    work = run(encode(kind, picture))
    assert work.derivatives[0].format == "png"
    assert [work.picture.getchannel("A").getpixel((x, 100)) for x in (20, 480)] == [0, 255]


@each
def test_it_tells_its_exif_and_stands_upright(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    data = encode(kind, quarters((1200, 900)), exif=exif.tobytes())
    work = run(data)
    facts = work.metadata
    assert (facts["format"], facts["size_bytes"], facts["exif"]["Make"]) == (kind, len(data), "Maker")
    assert (facts["width"], facts["height"], work.picture.size) == (900, 1200, (384, 512))
    assert is_near(work.picture.getpixel((8, 8)), BLUE, 16)


@each
def test_its_profile_is_turned_into_srgb(kind: str) -> None:
    data = encode(kind, plain(size=(64, 64), color=GREEN), icc_profile=swapped_channels_profile())
    assert is_near(run(data).picture.getpixel((30, 30)), RED, 16)


@each
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_cut_one_is_corrupt(kind: str, share: float) -> None:
    data = encode(kind, noise((300, 200)).convert("RGB"))
    with pytest.raises(CorruptImage):
        take(data[: int(len(data) * share)])


@pytest.mark.parametrize("kind", ["webp", "avif"])
def test_an_animation_gives_its_first_frame(kind: str) -> None:
    frames = [plain(size=(64, 64), color=color) for color in (RED, BLUE, GREEN)]
    data = encode(kind, frames[0], save_all=True, append_images=frames[1:])
    assert check(data) == Header(kind, 64, 64)
    assert is_near(run(data).picture.getpixel((30, 30)), RED, 16)


def test_an_animation_of_ten_thousand_frames_is_too_complex() -> None:
    data = encode("webp", plain(size=(8, 8)), save_all=True, append_images=[plain(size=(8, 8), color=BLUE)])
    frame = data[data.rindex(b"ANMF") :]
    many = data + frame * 10_000
    with pytest.raises(TooComplex):
        check(many[:4] + struct.pack("<I", len(many) - 8) + many[8:])


@pytest.mark.parametrize("size", [(16_384, 16_384), (8000, 7000)])
def test_a_webp_that_claims_much_is_refused_from_its_header(size: tuple[int, int]) -> None:
    canvas = b"".join(struct.pack("<I", side - 1)[:3] for side in size)
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + canvas
    with pytest.raises(TooManyPixels):
        check(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body)


@pytest.mark.parametrize(
    ("kind", "mode", "options", "allowed"),
    [
        ("webp", "RGB", {}, 22_588_235),
        ("avif", "RGB", {"subsampling": "4:2:0"}, 40_421_052),
        ("avif", "RGB", {"subsampling": "4:4:4"}, 32_000_000),
        ("avif", "RGBA", {"subsampling": "4:2:0"}, 32_000_000),
        ("heic", "RGB", {}, 51_200_000),
        ("heic", "RGB", {"chroma": 444}, 32_000_000),
        ("heic", "RGBA", {}, 32_000_000),
    ],
)
def test_what_a_png_of_the_limit_takes_says_how_many_pixels_it_may_have(
    kind: str, mode: str, options: dict[str, Any], allowed: int
) -> None:
    picture = plain("RGBA", (64, 64), (200, 100, 50, 128)).convert(mode)
    measure = FORMATS[kind].measure(encode(kind, picture, **options))
    check_size(measure._replace(width=allowed // 1000, height=1000), LIMIT, PNG_BYTES_PER_PIXEL)
    with pytest.raises(TooManyPixels) as refused:
        check_size(measure._replace(width=allowed // 1000 + 1, height=1000), LIMIT, PNG_BYTES_PER_PIXEL)
    assert refused.value.details["max_pixels"] == allowed


def test_more_than_8_bits_may_have_fewer_pixels_still() -> None:
    deep = BytesIO()
    pillow_heif.from_bytes(mode="RGB;16", size=(64, 64), data=bytes(64 * 64 * 6)).save(deep)
    assert FORMATS["heic"].measure(deep.getvalue()).bytes_per_pixel == 20


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + kind + body


def full(kind: bytes, *parts: bytes) -> bytes:
    return box(kind, bytes(4), *parts)


def tiled(
    brand: bytes,
    tiles: int,
    size: tuple[int, int] = (512, 512),
    tile: tuple[int, int] = (64, 64),
    parts: list[int] | None = None,
) -> bytes:
    """Write the boxes of a grid, item 1, of so many tiles; ``parts`` says of which items instead."""
    coded = b"av01" if brand == b"avif" else b"hvc1"
    parts = parts or list(range(2, tiles + 2))
    entries = [struct.pack(">HH4sB", number, 0, coded, 0) for number in range(2, tiles + 2)]
    infos = [
        box(b"infe", b"\2\0\0\0", entry) for entry in (struct.pack(">HH4sB", 1, 0, b"grid", 0), *entries)
    ]
    sizes = [full(b"ispe", struct.pack(">II", *sides)) for sides in (size, tile)]
    whose = [struct.pack(">HBB", number, 1, 1 if number == 1 else 2) for number in range(1, tiles + 2)]
    meta = full(
        b"meta",
        full(b"pitm", struct.pack(">H", 1)),
        full(b"iinf", struct.pack(">H", len(infos)), *infos),
        box(b"iprp", box(b"ipco", *sizes), full(b"ipma", struct.pack(">I", len(whose)), *whose)),
        full(b"iref", box(b"dimg", struct.pack(f">HH{len(parts)}H", 1, len(parts), *parts))),
    )
    return box(b"ftyp", brand, bytes(4), b"mif1", brand) + meta


Bomb = Callable[[bytes], bytes]
BOMBS: dict[str, tuple[type[Exception], Bomb]] = {
    "4,096 tiles": (TooComplex, lambda brand: tiled(brand, 4096)),
    "one tile in 60,000 places": (TooComplex, lambda brand: tiled(brand, 1, parts=[2] * 60_000)),
    "a grid of itself": (CorruptImage, lambda brand: tiled(brand, 1, parts=[1])),
    "65,535 px": (TooManyPixels, lambda brand: tiled(brand, 4, (65_535, 65_535))),
    "a small grid of huge tiles": (
        TooManyPixels,
        lambda brand: tiled(brand, 4, (512, 512), (32_000, 32_000)),
    ),
    "no size": (CorruptImage, lambda brand: tiled(brand, 1, (0, 0))),
    "no boxes": (CorruptImage, lambda brand: tiled(brand, 1)[:28]),
    "a box that ends behind the file": (CorruptImage, lambda brand: tiled(brand, 1)[:-3]),
    "countless boxes": (TooComplex, lambda brand: tiled(brand, 1)[:24] + box(b"free") * 20_000),
}


@pytest.mark.parametrize("brand", [b"avif", b"heic"])
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_before_a_decoder_sees_it(brand: bytes, bomb: str) -> None:
    error, make = BOMBS[bomb]
    with pytest.raises((error, CorruptImage)):  # no stream stands behind the boxes
        check(make(brand))


@pytest.mark.parametrize("kind", ["avif", "heic"])
def test_a_picture_larger_than_its_box_says_is_corrupt(kind: str) -> None:
    data = encode(kind, noise((400, 300)).convert("RGB"))
    claimed = data.replace(struct.pack(">II", 400, 300), struct.pack(">II", 40, 30))
    with pytest.raises(CorruptImage):
        take(claimed)


@each
def test_an_upload_travels_as_any_other_does(make_app: AppFactory, kind: str) -> None:
    client = make_app(IMGPIPE_ACCEPT="jpg,png,webp,avif,heic").test_client()
    data = encode(kind, quarters((640, 480)))
    image = shown(client, upload(client, data, "photo"))
    assert (image["status"], image["metadata"]["format"]) == ("success", kind)
    original = client.get(image["original_url"])
    assert (original.data == data, original.mimetype) == (True, FORMATS[kind].mime)
    assert original.headers["Content-Disposition"].endswith(f"photo{FORMATS[kind].suffixes[0]}")
    assert client.get(image["thumbnails"]["small"]).mimetype == "image/jpeg"
    assert FORMATS[kind].mime in client.get("/").text


def test_the_sentence_names_what_is_accepted(make_app: AppFactory) -> None:
    client = make_app(IMGPIPE_ACCEPT="jpg,png,heic").test_client()
    assert post(client, b"GIF89a").json["error"] == "Unsupported file type. Use JPG, PNG or HEIC."  # type: ignore[index]
