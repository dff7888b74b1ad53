"""EXIF is read with care: nothing odd in it costs more than its own tag."""

import json
import struct
from typing import Any

import pytest
from PIL import Image
from PIL.ExifTags import IFD, TAGS
from PIL.TiffImagePlugin import IFDRational

from imgpipe.imaging.metadata import Metadata
from imgpipe.imaging.pipeline import run
from tests.imaging.pictures import chunk, jpeg, plain, png, with_chunks, with_exif, with_raw_exif

MAKE, MODEL, DATE, COPYRIGHT = 0x010F, 0x0110, 0x0132, 0x8298
ASCII, SHORT, RATIONAL = 2, 3, 5
# Pillow tells of odd metadata by warning, and goes on.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def describe(data: bytes) -> Metadata:
    return run(data).metadata


def exif_of(data: bytes) -> dict[str, Any]:
    return describe(data)["exif"]


def raw_text(tag: int, body: bytes) -> bytes:
    return with_raw_exif([(tag, ASCII, len(body), body)])


def test_a_plain_picture_is_described_in_full() -> None:
    data = png(plain(size=(700, 500)))
    assert describe(data) == {
        "width": 700,
        "height": 500,
        "format": "png",
        "size_bytes": len(data),
        "mode": "RGB",
        "orientation": 1,
        "datetime": None,
        "exif": {},
    }


def test_width_and_height_are_those_of_the_upright_picture() -> None:
    facts = describe(with_exif({0x0112: 6}))
    assert (facts["width"], facts["height"], facts["orientation"]) == (30, 40, 6)


@pytest.mark.parametrize("value", [0, 9, 65_535])
def test_an_orientation_out_of_range_is_1(value: int) -> None:
    assert describe(with_exif({0x0112: value}))["orientation"] == 1


def test_an_orientation_that_is_text_is_1() -> None:
    assert describe(raw_text(0x0112, b"left\0"))["orientation"] == 1


def test_the_mode_is_that_of_the_file() -> None:
    assert describe(png(plain("LA", color=(1, 2))))["mode"] == "LA"
    assert describe(jpeg(plain("CMYK", color=(1, 2, 3, 4))))["mode"] == "CMYK"


def test_tags_of_all_three_directories_lie_side_by_side() -> None:
    exif = exif_of(
        with_exif({MAKE: "Maker"}, Exif={0x829D: IFDRational(28, 10)}, GPSInfo={1: "N", 2: (51.0, 30.5, 0.0)})
    )
    assert exif == {"Make": "Maker", "FNumber": 2.8, "GPSLatitudeRef": "N", "GPSLatitude": [51.0, 30.5, 0.0]}


def test_exif_of_a_png_is_read_behind_its_pixels_too() -> None:
    exif = Image.Exif()
    exif[MAKE] = "Maker"
    data = png(plain())
    assert exif_of(data[:-12] + chunk(b"eXIf", exif.tobytes()[6:]) + data[-12:]) == {"Make": "Maker"}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"Canon\0\0\0\0", "Canon"),
        (b"Photographer\0Editor\0", "Photographer Editor"),
        (b"  Canon   \0", "Canon"),
        (b"bell\x07 and escape\x1b\0", "bell and escape"),
        ("Porträtt\0".encode(), "Porträtt"),
        (b"Portr\xe4tt\0", "Porträtt"),
        ("山 🙂\0".encode(), "山 🙂"),
        (b"Ca\0", "Ca"),
    ],
    ids=["padding", "two parts", "blanks", "controls", "utf-8", "latin-1", "beyond", "short"],
)
def test_a_text_reads_as_meant(body: bytes, text: str) -> None:
    assert exif_of(raw_text(COPYRIGHT, body)) == {"Copyright": text}


@pytest.mark.parametrize("body", [b"        \0", b"\0\0\0\0\0\0", b"\x01\x02\x03\x04\x05"])
def test_a_text_of_nothing_is_left_out(body: bytes) -> None:
    assert exif_of(raw_text(MAKE, body)) == {}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"ASCII\0\0\0a dog\0\0", "a dog"),
        (b"UNICODE\0" + "ein Hünd".encode("utf-16-be"), "ein Hünd"),
        (b"UNICODE\0" + "ein Hünd".encode("utf-16-le"), "ein Hünd"),
        (b"JIS\0\0\0\0\0" + "犬".encode("iso2022_jp"), "犬"),
        (b"\0\0\0\0\0\0\0\0a dog", "a dog"),
        (b"a dog without a prefix", "a dog without a prefix"),
    ],
)
def test_a_user_comment_loses_its_prefix(body: bytes, text: str) -> None:
    assert exif_of(with_exif({}, Exif={0x9286: body})) == {"UserComment": text}


def test_windows_tags_are_utf_16() -> None:
    assert exif_of(with_exif({0x9C9B: "Titel ü\0".encode("utf-16-le")})) == {"XPTitle": "Titel ü"}


def test_bytes_of_known_meaning_become_text_or_numbers() -> None:
    exif = exif_of(with_exif({}, Exif={0x9000: b"0230", 0x9101: b"\1\2\3\0", 0xA300: b"\3"}))
    assert exif == {"ExifVersion": "0230", "ComponentsConfiguration": [1, 2, 3, 0], "FileSource": 3}


def test_a_maker_note_is_left_out() -> None:
    assert exif_of(with_exif({}, Exif={0x927C: bytes(range(256)) * 200})) == {}


def test_a_rational_over_zero_is_left_out() -> None:
    nothing = struct.pack(">LL", 1, 0)
    assert exif_of(with_raw_exif([(0x011A, RATIONAL, 1, nothing)])) == {}


def test_a_position_with_nan_seconds_stays_strict_json() -> None:
    latitude = (IFDRational(51), IFDRational(30), IFDRational(0, 0))
    assert exif_of(with_exif({}, GPSInfo={2: latitude})) == {"GPSLatitude": [51.0, 30.0, None]}


def test_a_tag_that_lies_outside_the_file_costs_only_itself() -> None:
    broken = (MODEL, ASCII, 60_000, b"")
    assert exif_of(with_raw_exif([(MAKE, ASCII, 6, b"Maker\0"), broken])) == {"Make": "Maker"}


def test_a_tag_without_a_name_is_left_out() -> None:
    assert exif_of(with_raw_exif([(0xEEEE, SHORT, 1, b"\0\1")])) == {}


def test_a_long_text_is_cut_at_a_kilobyte() -> None:
    text = exif_of(raw_text(0x010E, "ü".encode() * 2000 + b"\0"))["ImageDescription"]
    assert text == "ü" * 512


def test_a_long_list_is_left_out() -> None:
    assert exif_of(with_raw_exif([(0x0111, SHORT, 5000, bytes(10_000))])) == {}


def test_all_of_exif_stays_under_32_kilobytes() -> None:
    tags = [tag for tag in sorted(TAGS) if tag not in set(IFD)][:60]
    kept = exif_of(with_raw_exif([(tag, ASCII, 1000, b"x" * 1000) for tag in tags]))
    assert len(kept) == 32
    assert len(json.dumps(kept)) <= 32 * 1024


@pytest.mark.parametrize(
    "exif",
    [b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"],
)
def test_broken_exif_never_fails_the_picture(exif: bytes) -> None:
    assert exif_of(jpeg(plain(), exif=exif)) == {}


def test_broken_exif_of_a_png_never_fails_the_picture() -> None:
    assert exif_of(with_chunks(png(plain()), chunk(b"eXIf", b"garbage"))) == {}


def test_a_hidden_directory_that_points_nowhere_costs_only_itself() -> None:
    assert exif_of(with_raw_exif([(MAKE, ASCII, 6, b"Maker\0"), (0x8769, 4, 1, b"\xff\xff\xff\xff")])) == {
        "Make": "Maker"
    }


def test_where_the_directories_lie_is_not_told() -> None:
    assert "ExifOffset" not in exif_of(with_exif({}, Exif={0x829D: 2.8}))


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"original": "2004:07:13 21:23:44", "digitized": "2005:01:01 00:00:00"}, "2004-07-13T21:23:44"),
        ({"digitized": "2005:01:01 00:00:00"}, "2005-01-01T00:00:00"),
        ({"original": "0000:00:00 00:00:00", "digitized": "2005:01:01 00:00:00"}, "2005-01-01T00:00:00"),
        ({"original": "    :  :     :  :  "}, None),
        ({"original": "2004:13:45 21:23:44"}, None),
        ({"original": "2004-07-13T21:23:44.5+02:00"}, "2004-07-13T21:23:44"),
        ({"original": "yesterday"}, None),
    ],
)
def test_the_camera_tells_when(tags: dict[str, str], expected: str | None) -> None:
    numbers = {"original": 0x9003, "digitized": 0x9004}
    data = with_exif({}, Exif={numbers[name]: value for name, value in tags.items()})
    assert describe(data)["datetime"] == expected


def test_a_date_in_the_0th_directory_is_found_whichever_it_is() -> None:
    assert describe(with_exif({DATE: "2004:07:13 21:23:44"}))["datetime"] == "2004-07-13T21:23:44"
    assert describe(raw_text(0x9003, b"2004:07:13 21:23:44\0"))["datetime"] == "2004-07-13T21:23:44"


def test_everything_at_once_is_strict_json() -> None:
    data = with_exif(
        {MAKE: "a\0b", 0x011A: IFDRational(0, 0)},
        Exif={0x9286: b"UNICODE\0\x00\xd8\x00\xd8", 0x829A: IFDRational(1, 0)},
        GPSInfo={1: "\0", 2: (0.0, 0.0, 0.0)},
    )
    assert "\\u0000" not in json.dumps(describe(data), allow_nan=False)
