"""What is refused from the header alone, and what passes."""

import struct

import pytest

from imgpipe.errors import CorruptImage, NoFile, TooComplex, TooManyPixels, UnsupportedType
from imgpipe.imaging.limits import Measure, check_size
from imgpipe.imaging.probe import Header, probe
from tests.imaging.pictures import (
    chunk,
    claiming,
    jpeg,
    mpo,
    noise,
    plain,
    png,
    progressive,
    with_chunks,
    with_scans,
    with_segments,
)

LIMIT = 64_000_000
COMMENT = b"\xff\xfe\x00\x02"


def test_a_jpeg_tells_its_stored_size() -> None:
    assert probe(jpeg(plain(size=(40, 30))), LIMIT) == Header("jpg", 40, 30)


def test_a_png_tells_its_size() -> None:
    assert probe(png(plain(size=(40, 30))), LIMIT) == Header("png", 40, 30)


def test_an_mpo_is_a_jpeg() -> None:
    assert probe(mpo(plain(), plain(size=(9, 9))), LIMIT) == Header("jpg", 40, 30)


def test_nothing_is_no_file() -> None:
    with pytest.raises(NoFile):
        probe(b"", LIMIT)


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        b"<html></html>",
        b"<svg xmlns=''/>",
        b"GIF89a\1\0\1\0\0\0\0;",
        b"\xff\xd8",
        b"BM",
        b"\x89PNG",
    ],
    ids=["text", "html", "svg", "gif", "two bytes of a jpeg", "bmp", "half a png signature"],
)
def test_other_bytes_are_an_unsupported_type(data: bytes) -> None:
    with pytest.raises(UnsupportedType):
        probe(data, LIMIT)


@pytest.mark.parametrize("end", [3, 20, 100, 300])
def test_a_cut_jpeg_header_is_corrupt(end: int) -> None:
    with pytest.raises(CorruptImage):
        probe(jpeg(plain())[:end], LIMIT)


@pytest.mark.parametrize("end", [8, 20, 32])
def test_a_cut_png_header_is_corrupt(end: int) -> None:
    with pytest.raises(CorruptImage):
        probe(png(plain())[:end], LIMIT)


@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_a_picture_at_the_limit_passes(kind: str) -> None:
    assert probe(claiming(8000, 8000, kind), LIMIT).width == 8000


@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_a_header_that_claims_more_pixels_is_refused_with_its_size(kind: str) -> None:
    with pytest.raises(TooManyPixels) as caught:
        probe(claiming(65_500, 65_500, kind), LIMIT)
    assert caught.value.details == {"width": 65_500, "height": 65_500, "max_pixels": LIMIT}


@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_a_picture_of_no_height_is_corrupt(kind: str) -> None:
    with pytest.raises(CorruptImage):
        probe(claiming(40, 0, kind), LIMIT)


def test_a_hundred_scans_pass() -> None:
    assert probe(with_scans(100), LIMIT).format == "jpg"


@pytest.mark.parametrize("scans", [101, 100_000])
def test_more_scans_are_too_complex(scans: int) -> None:
    with pytest.raises(TooComplex):
        probe(with_scans(scans), LIMIT)


def test_scan_markers_behind_the_end_do_not_count() -> None:
    film = b"\xff\xda\x00\x08" * 1000
    assert probe(with_scans(10) + film, LIMIT).format == "jpg"


def test_scan_markers_inside_metadata_do_not_count() -> None:
    preview = b"\xff\xda" * 1000
    segment = b"\xff\xed" + struct.pack(">H", len(preview) + 2) + preview
    assert probe(with_segments(with_scans(10), segment), LIMIT).format == "jpg"


def test_an_end_marker_in_the_header_hides_no_scans() -> None:
    with pytest.raises(TooComplex):
        probe(with_segments(with_scans(101), b"\xff\xd9"), LIMIT)


def test_scans_with_padded_markers_count() -> None:
    with pytest.raises(TooComplex):
        probe(with_scans(200).replace(b"\xff\xda", b"\xff\xff\xff\xda"), LIMIT)


def test_a_header_of_countless_segments_is_too_complex() -> None:
    with pytest.raises(TooComplex):
        probe(with_segments(jpeg(plain()), COMMENT * 1_000_000), LIMIT)


def test_countless_segments_between_scans_are_too_complex() -> None:
    with pytest.raises(TooComplex):
        probe(with_scans(10)[:-2] + COMMENT * 1_000_000, LIMIT)


def test_a_header_full_of_stray_bytes_is_too_complex() -> None:
    with pytest.raises(TooComplex):
        probe(with_segments(jpeg(plain()), b"\xff" * 10_000_000), LIMIT)


def test_megabytes_of_exif_are_too_complex() -> None:
    segment = b"\xff\xe1\xff\xff" + b"Exif\0\0".ljust(0xFFFF - 2, b"\0")
    with pytest.raises(TooComplex):
        probe(with_segments(jpeg(plain()), segment * 17), LIMIT)


def test_a_large_jpeg_without_a_scan_is_corrupt() -> None:
    with pytest.raises(CorruptImage):
        probe(b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\xff\x00" * 5_000_000, LIMIT)


def test_ten_thousand_chunks_pass() -> None:
    data = with_chunks(png(plain()), *[chunk(b"prIv")] * 9_000)
    assert probe(data, LIMIT).format == "png"


@pytest.mark.parametrize("count", [10_001, 500_000])
def test_more_chunks_are_too_complex(count: int) -> None:
    with pytest.raises(TooComplex):
        probe(with_chunks(png(plain()), chunk(b"prIv") * count), LIMIT)


@pytest.mark.parametrize("size", [(1, 64_000_000), (64_000_000, 1), (65_536, 3)])
def test_a_side_that_is_too_long_is_refused_though_its_pixels_are_few(size: tuple[int, int]) -> None:
    with pytest.raises(TooManyPixels) as caught:
        probe(claiming(*size, "png"), LIMIT)
    assert caught.value.details == {"width": size[0], "height": size[1], "max_side": 65_535}


@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_the_longest_side_passes(kind: str) -> None:
    assert probe(claiming(65_535 if kind == "png" else 65_500, 900, kind), LIMIT).height == 900


def test_a_format_that_takes_much_memory_is_allowed_the_fewer_pixels() -> None:
    check_size(Measure(8000, 4000, 32), LIMIT, 16)
    with pytest.raises(TooManyPixels):
        check_size(Measure(8001, 4000, 32), LIMIT, 16)


@pytest.mark.parametrize(("size", "scans", "passes"), [(8000, 14, True), (8000, 38, False), (800, 98, True)])
def test_scans_times_pixels_are_bounded(size: int, scans: int, passes: bool) -> None:
    data = progressive(size, size, scans)
    if passes:
        assert probe(data, LIMIT).width == size
        return
    with pytest.raises(TooComplex) as caught:
        probe(data, LIMIT)
    assert "max_samples" in caught.value.details


@pytest.mark.parametrize(("size", "passes"), [(3000, True), (8000, False)])
def test_arithmetic_coding_is_refused_where_it_costs_too_much(size: int, passes: bool) -> None:
    data = progressive(size, size, 14, arithmetic=True)
    if passes:
        assert probe(data, LIMIT).width == size
        return
    with pytest.raises(TooComplex):
        probe(data, LIMIT)


def test_a_scan_of_all_components_counts_for_each_of_them() -> None:
    assert probe(progressive(4600, 4600, 98, components=1), LIMIT).width == 4600
    with pytest.raises(TooComplex):
        probe(progressive(4600, 4600, 98, components=3, together=True), LIMIT)


def test_a_png_whose_first_chunk_is_no_header_is_corrupt() -> None:
    data = png(plain())
    with pytest.raises(CorruptImage):
        probe(data[:8] + chunk(b"tEXt", b"a\0b") + data[8:], LIMIT)


def test_a_second_header_changes_nothing_unnoticed() -> None:
    header = struct.pack(">LLBBBBB", 9000, 9000, 8, 2, 0, 0, 0)
    with pytest.raises(CorruptImage):
        probe(with_chunks(png(plain()), chunk(b"IHDR", header)), LIMIT)


def test_a_damaged_body_goes_unnoticed() -> None:
    data = jpeg(noise((400, 300)))
    assert probe(data[: len(data) // 2], LIMIT).width == 400
