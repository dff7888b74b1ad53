"""A form is read as werkzeug reads it, only faster."""

import re
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from werkzeug.sansio.multipart import Epilogue, MultipartDecoder, NeedData

from imgpipe.api.http.forms import _Boundary, _Decoder

PIECES = st.sampled_from([b"\r", b"\n", b"-", b"--b", b"--", b" ", b"b", b"\r\n--b", b"\r\n--b--\r\n", b"x"])


@given(st.lists(PIECES, max_size=12).map(b"".join))
def test_a_boundary_is_found_where_its_pattern_is(data: bytes) -> None:
    plain = MultipartDecoder(b"b").boundary_re
    quick = _Boundary(plain, b"--b")
    assert _span(quick.search(bytearray(data))) == _span(plain.search(data))


def test_what_only_looks_like_a_boundary_stays_in_the_file() -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
    content = b"x--b\r\n--bx\r\n --b-- \n--c"
    decoder = _Decoder(b"b")
    decoder.receive_data(head + content + b"\r\n--b--\r\n")
    decoder.receive_data(None)
    events = [decoder.next_event() for _ in range(4)]
    assert getattr(events[2], "data", None) == content


@given(st.lists(PIECES, max_size=12).map(b"".join), st.integers(1, 30))
def test_a_part_is_what_werkzeug_makes_of_it_however_it_arrives(content: bytes, at_once: int) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="a"; filename="f"\r\n\r\n' + content + b"\r\n--b--\r\n"
    )
    pieces = [body[start : start + at_once] for start in range(0, len(body), at_once)]
    assert _events(_Decoder(b"b"), pieces) == _events(MultipartDecoder(b"b"), pieces)


def _events(decoder: MultipartDecoder, pieces: Sequence[bytes]) -> list[str]:
    told = []
    try:
        for piece in [*pieces, None]:
            decoder.receive_data(piece)
            while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
                told.append(repr(event))
    except ValueError as error:
        told.append(str(error))
    return told


def _span(found: re.Match[bytes] | None) -> tuple[int, int] | None:
    return found and found.span()
