"""A form is read as werkzeug reads it, only faster."""

import re

from hypothesis import given
from hypothesis import strategies as st
from werkzeug.sansio.multipart import MultipartDecoder

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


def _span(found: re.Match[bytes] | None) -> tuple[int, int] | None:
    return found and found.span()
