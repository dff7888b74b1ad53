import gzip
import io
import re
import tracemalloc
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from imgpipe.errors import InvalidCsv
from imgpipe.scanlines import cells, csvfile, digits
from imgpipe.scanlines.cells import Block
from imgpipe.scanlines.faults import COUNTED, Faults
from tests.scanlines.logs import HEADER, Repeated, Trickle, make_image, make_log

WIDE_HEADER = make_log([], np.empty((0, 200), np.uint8))
NUMBER, PIXEL = "a finite number", "a whole number from 0 to 255"


def read_all(source: bytes | BinaryIO) -> tuple[list[float], list[list[int]], csvfile.Reader[Block]]:
    reader = csvfile.read(io.BytesIO(source) if isinstance(source, bytes) else source)
    blocks = list(reader)
    depths = [depth for block in blocks for depth in block.depths.tolist()]
    return depths, [row for block in blocks for row in block.pixels.tolist()], reader


def refuse(source: bytes | BinaryIO) -> dict[str, Any]:
    with pytest.raises(InvalidCsv) as refusal:
        read_all(source)
    return refusal.value.details


def first_fault(source: bytes | BinaryIO) -> tuple[int, str | None, str, str]:
    fault = refuse(source)["errors"][0]
    return fault["line"], fault["column"], fault["found"], fault["expected"]


# What is fine


@pytest.mark.parametrize(
    "body",
    [
        b"1.5,7,8,255\n",
        b"1.5,7,8,255",
        b"1.5,7,8,255\r\n",
        b'"1.5","7","8","255"\n',
        b" 1.5\t, 7,8 , 255 \n",
        b'1.5, "7" ," 8 ",255\n',
        b"1.5,7.0,8.00,255.0\n",
        b'1.5,"7.0",8.0,255.0\r\n',
        b"1.5,007,08,255\n",
        b"+1.5e0,7,8,255\n",
        b'1.5,7,8,255\n\n  \n,,,\n,\n"",""\n\r\n',
        b"\n1.5,7,8,255\n",
    ],
)
def test_every_usual_spelling_of_a_row_is_read(body: bytes) -> None:
    depths, pixels, _ = read_all(HEADER + body)
    assert (depths, pixels) == ([1.5], [[7, 8, 255]])


@pytest.mark.parametrize(
    "header",
    [
        b"\xef\xbb\xbfdepth,a,b,c\n",
        b"depth,a,b,c\r\n",
        b'"depth","a","b","c"\n',
        b" depth , a,b,c\n",
        "depth,größe,深度,a\n".encode(),
        b"depth,a,a,a\n",
        b"depth,,,\n",
        b'depth,"a,1",b,c\n',
    ],
)
def test_every_usual_header_is_read(header: bytes) -> None:
    assert read_all(header + b"1,7,8,9\n")[1] == [[7, 8, 9]]


def test_the_reader_tells_columns_width_rows_and_skipped_lines() -> None:
    reader = read_all(HEADER + b"1,7,8,9\n\n2,7,8,9\n,,,\n")[2]
    assert reader.columns == ("depth", "a", "b", "c")
    assert (reader.source_width, reader.rows, reader.skipped) == (3, 2, 2)


def test_unsorted_and_repeated_depths_keep_the_order_of_the_file() -> None:
    assert read_all(HEADER + b"3,1,1,1\n1,2,2,2\n3,3,3,3\n")[0] == [3.0, 1.0, 3.0]


@pytest.mark.parametrize(
    "text", ["9000.1", "0.1", "1e-320", "1234567.12345678901", ".5", "5.", "-1E3", "1e22"]
)
def test_a_depth_is_the_double_that_python_reads(text: str) -> None:
    assert read_all(HEADER + text.encode() + b",1,2,3\n")[0] == [float(text)]


@pytest.mark.parametrize("spelling", [b"-0.0", b'"-0.0"'])
def test_minus_zero_becomes_zero(spelling: bytes) -> None:
    assert str(read_all(HEADER + spelling + b",1,2,3\n")[0][0]) == "0.0"


def test_the_widest_row_is_read() -> None:
    pixels = make_image(3, 10_000)
    assert read_all(make_log([1, 2, 3], pixels))[1] == pixels.tolist()


def test_blocks_stay_small_however_long_the_file_is() -> None:
    stream = Repeated(HEADER, b"1,7,8,9\n", 3_000_000)
    assert max(len(block.depths) for block in csvfile.read(stream)) < 30_000


# What is not


@pytest.mark.parametrize("depth", ["nan", "inf", "-Infinity", "1e400", "1_000", "", "x", "0x1", "١", "1e"])
def test_a_depth_that_is_no_finite_number_is_refused(depth: str) -> None:
    fault = first_fault(HEADER + b"1,1,2,3\n" + depth.encode() + b",1,2,3\n")
    assert fault == (3, "depth", depth, NUMBER)


@pytest.mark.parametrize(
    "pixel",
    ["-1", "256", "1000", "1.5", "", "''", "NaN", "text", "1e2", "+1", "1_0", "1.", ".0", "٣", "12 3", "0x1"],
)
def test_a_pixel_that_is_no_whole_number_up_to_255_is_refused(pixel: str) -> None:
    fault = first_fault(HEADER + b"1,1,2,3\n2,1," + pixel.encode() + b",3\n")
    assert fault == (3, "b", pixel, PIXEL)


@pytest.mark.parametrize("count", [199, 201])
def test_a_row_of_too_few_or_too_many_cells_is_refused(count: int) -> None:
    log = make_log([1], make_image(1, 200)) + b"2" + b",7" * count + b"\n"
    assert first_fault(log) == (3, None, f"{count + 1} cells", "201 cells")


def test_an_extra_trailing_column_is_refused() -> None:
    assert first_fault(HEADER + b"1,7,8,9,\n") == (2, None, "5 cells", "4 cells")


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"", "no header"),
        (b"\n", "no header"),
        (b"1.5,7,8,9\n", "1.5"),
        (b"a,depth,b,c\n", "a"),
        (b"depth|a|b|c\n", "depth|a|b|c"),
        (b"depth[furlongs],a\n", "depth[furlongs]"),
        (b"Depth;a;DEPTH\n", "depth again"),
        (b"depth,a,depth,c\n", "depth again"),
        (b"depth\n", "no pixel columns"),
        (b'depth,"a,b,c\n', "no header"),
        ("depth,größe\n".encode("latin-1"), "no header"),
        ("depth,a\n1,2\n".encode("utf-16"), "UTF-16 text"),
        ("depth,a\n1,2\n".encode("utf-16-le"), "binary data"),
        (b"depth,a\r1,2\r3,4\r", "a CR inside"),
        (b"depth,a\0\n", "binary data"),
        (gzip.compress(b"depth,a\n1,2\n", mtime=0), "gzip data"),
        (b"depth," + b"x" * 2_000_000, "a longer line"),
        (b"depth" + b",c" * 10_001 + b"\n", "more than 10,000 pixel columns"),
    ],
)
def test_what_does_not_begin_with_the_header_is_refused_at_once(header: bytes, found: str) -> None:
    with pytest.raises(InvalidCsv) as refusal:
        csvfile.read(io.BytesIO(header + b"1,7,8,9\n" * (header[-1:] == b"\n")))
    fault = refusal.value.details["errors"][0]
    assert (fault["line"], fault["found"], refusal.value.details["more"]) == (1, found, 0)


@pytest.mark.parametrize("body", [b"", b"\n\n", b",,,\n"])
def test_a_log_without_rows_is_refused(body: bytes) -> None:
    assert first_fault(HEADER + body)[2:] == ("no rows", "at least one row")


def test_text_that_is_not_utf_8_is_refused() -> None:
    assert first_fault(HEADER + b"1,7,\xf6,9\n") == (2, "b", "\ufffd", PIXEL)


def test_a_nul_is_refused_and_shown() -> None:
    assert first_fault(HEADER + b"1,7,8\0,9\n") == (2, "b", r"8\x00", PIXEL)


def test_a_cr_inside_a_line_is_refused_and_shown() -> None:
    assert first_fault(HEADER + b"1,7,8,9\r2,7,8,9\n")[2] == "7 cells"
    assert first_fault(HEADER + b"1,7,8,9\r\r\n") == (2, "c", r"9\r", PIXEL)


def test_a_quoted_newline_is_refused_on_the_line_where_the_quote_opens() -> None:
    fault = first_fault(HEADER + b'1,7,8,9\n1,7,"8\n",9\n')
    assert fault == (3, None, '"8', "every quote closed on its own line")


# The report


def test_every_bad_cell_is_a_fault_of_its_own() -> None:
    errors = refuse(HEADER + b"nan,256,7,-1\n")["errors"]
    assert [fault["column"] for fault in errors] == ["depth", "a", "c"]


def test_twenty_faults_are_listed_and_the_others_counted() -> None:
    report = refuse(HEADER + b"1,7,8,9\n" * 50_000 + b"1,7,8,256\n" * 30)
    assert [fault["line"] for fault in report["errors"]] == list(range(50_002, 50_022))
    assert report["more"] == 10


def test_the_sentence_tells_the_first_fault() -> None:
    with pytest.raises(InvalidCsv, match=re.escape("line 2, column c: found '256', expected a whole number")):
        read_all(HEADER + b"1,7,8,256\n")


def test_what_was_found_is_cut_short() -> None:
    assert len(first_fault(HEADER + b"1,7,8," + b"x" * 5_000 + b"\n")[2]) == 40


def test_no_block_comes_after_a_fault() -> None:
    reader = csvfile.read(io.BytesIO(HEADER + b"1,7,8,9\n" * 40_000 + b"x,7,8,9\n" + b"2,7,8,9\n" * 40_000))
    seen: list[float] = []
    with pytest.raises(InvalidCsv):
        seen.extend(float(block.depths[-1]) for block in reader)
    assert set(seen) == {1.0}


def test_counting_ends_where_a_file_is_nothing_but_faults() -> None:
    assert refuse(Repeated(HEADER, b"x\n", 20_000_000))["more"] == COUNTED - 20


# What is meant to hurt


@pytest.mark.parametrize(
    ("stream", "found"),
    [
        (lambda: Repeated(b"", b"column,", 7_000_000), "more than 10,000 pixel columns"),
        (lambda: Repeated(HEADER, b"7,", 200_000_000), "a longer line"),
        (lambda: Repeated(HEADER, b"7", 200_000_000, b"\n1,7,8,9\n"), "a longer line"),
        (lambda: Repeated(HEADER + b'1,"', b"7", 50_000_000), "a longer line"),
        (lambda: Repeated(WIDE_HEADER + b'1,"7\n', b"1" + b",7" * 200 + b"\n", 50_000_000), '"7'),
        (lambda: Repeated(HEADER, b"\n", 500_000), "no rows"),
    ],
    ids=[
        "a million columns",
        "a line of cells",
        "a line of digits",
        "a quote",
        "a quote and rows",
        "blank lines",
    ],
)
def test_a_hostile_file_is_refused_in_little_memory(stream: Callable[[], BinaryIO], found: str) -> None:
    hostile = stream()
    tracemalloc.start()
    try:
        fault = first_fault(hostile)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert fault[2] == found
    assert peak_bytes < 30_000_000


# The fast reader against the exact one

Rows = tuple[list[float], NDArray[np.uint8]]
PLAIN: list[Callable[[str], str]] = [str, "{}.0".format, "{:0>3}".format, " {}".format]
SPELLINGS = st.sampled_from([*PLAIN, '"{}"'.format, ' "{}"'.format, "{}\t ".format, "{}.00".format])
NEWLINES = st.sampled_from(["\n", "\r\n"])
DEPTHS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 10**6).map(lambda n: n / 10)


@st.composite
def rows(draw: st.DrawFn) -> Rows:
    """Draw rows of any width and order, some depths twice."""
    depths = draw(st.lists(DEPTHS, min_size=1, max_size=12))
    depths += draw(st.lists(st.sampled_from(depths), max_size=3))
    width = draw(st.integers(1, 8))
    values = draw(st.binary(min_size=len(depths) * width, max_size=len(depths) * width))
    return depths, np.frombuffer(values, np.uint8).reshape(-1, width)


@settings(deadline=None)
@given(rows(), SPELLINGS, NEWLINES, st.sampled_from(["", "\n", ",\n"]))
def test_whatever_is_written_is_read_back(
    log: Rows, spell: Callable[[str], str], newline: str, blank: str
) -> None:
    depths, pixels = log
    header, _, body = make_log(depths, pixels, spell=spell, newline=newline).partition(b"\n")
    source = header + b"\n" + body.replace(b"\n", b"\n" + blank.encode())
    for stream in (source, source.rstrip(b",\r\n"), Trickle(source)):
        assert read_all(stream)[:2] == (depths, pixels.tolist())


@settings(deadline=None)
@given(rows(), st.sampled_from(PLAIN), NEWLINES)
def test_plain_files_take_the_fast_way_and_give_what_the_exact_way_gives(
    log: Rows, spell: Callable[[str], str], newline: str
) -> None:
    body = make_log(*log, spell=spell, newline=newline).partition(b"\n")[2]
    fast = digits.parse(body, log[1].shape[1])
    assert fast is not None
    assert same(fast, exactly(body, log[1].shape[1]))


@given(st.integers(0, 7), st.lists(st.integers(0, 10**8 - 1), min_size=1, max_size=40))
def test_depths_of_one_form_are_what_float_reads(decimals: int, numbers: list[int]) -> None:
    texts = [f"{n // 10**decimals}.{n % 10**decimals:0{decimals}}" if decimals else f"{n}" for n in numbers]
    fast = digits.parse("".join(f"{text},7\n" for text in texts).encode(), 1)
    assert fast is not None
    assert fast.depths.tolist() == list(map(float, texts))


@pytest.mark.parametrize(
    "depth", ["90x0.2", "900.12", "9000,2", "x000.2", "9000.x", "900-.2", "9000/2", "9000:2"]
)
def test_a_depth_that_looks_like_its_neighbours_and_is_none_is_not_taken_for_one(depth: str) -> None:
    body = f"9000.1,7\n{depth},7\n9000.3,7\n".encode()
    fast, exact = digits.parse(body, 1), exactly(body, 1)
    assert (fast is None) == (exact is None)
    assert fast is None or same(fast, exact)


@settings(deadline=None)
@given(rows(), SPELLINGS, st.data())
def test_the_fast_way_never_takes_what_the_exact_way_refuses(
    log: Rows, spell: Callable[[str], str], data: st.DataObject
) -> None:
    body = bytearray(make_log(*log, spell=spell).partition(b"\n")[2])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body)))
        end = place + data.draw(st.integers(0, 2))
        body[place:end] = data.draw(st.text('0123456789,.\n\r" -+eE_x\0', max_size=3)).encode()
    mutant = bytes(body) + b"\n"
    for line in (mutant, mutant[:-1] if mutant.endswith(b"\n\n") else mutant):
        fast = digits.parse(line, log[1].shape[1])
        assert fast is None or same(fast, exactly(line, log[1].shape[1]))


def exactly(body: bytes, width: int) -> cells.Block | None:
    faults = Faults()
    block, blank = cells.parse_lines(body, 2, ["depth", *"p" * width], faults)
    return None if faults.count or blank else block


def same(one: cells.Block, other: cells.Block | None) -> bool:
    return (
        other is not None
        and one.depths.tobytes() == other.depths.tobytes()
        and np.array_equal(one.pixels, other.pixels)
    )
