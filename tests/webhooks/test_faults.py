"""Whatever a receiver does wrong, the event is kept and comes again; any 2xx is enough to be rid of it."""

import pytest

from imgpipe.database.outbox import target_of
from imgpipe.webhooks.delivery import Sender
from imgpipe.webhooks.queue import Message
from tests.servers import free_port
from tests.webhooks import faulty
from tests.webhooks.faulty import Behaviour, answer, behaving, status
from tests.webhooks.receiver import SECRET

DEADLINE_S = 0.4
LONG = b"x" * 65_536

# What a receiver does, and what is written down of it, none of which names an address.
FAULTS: dict[str, tuple[Behaviour, str]] = {
    "reset_before_the_body_is_read": (faulty.abort, "ConnectionError"),
    "reset_after_the_body_is_read": (faulty.read_and_abort, "ConnectionError"),
    "closed_without_a_word": (answer(), "ConnectionError"),
    "silence": (faulty.stay_silent, "no answer within 0.4 s"),
    "headers_drip": (faulty.drip, "no answer within 0.4 s"),
    "half_a_status_line": (answer(b"HTTP/1.1 20"), "ConnectionError"),
    "half_the_headers": (answer(b"HTTP/1.1 503 Busy\r\nContent-"), "HTTP 503"),
    "no_http_at_all": (answer(b"220 mail.example ESMTP\r\n"), "ConnectionError"),
    "headers_too_long": (answer(b"HTTP/1.1 200 OK\r\n", b"X-Long: " + LONG + LONG), "ConnectionError"),
    "a_redirect": (status(301, "Location: http://127.0.0.1:9/"), "HTTP 301"),
    "a_redirect_that_keeps_the_method": (status(308, "Location: http://127.0.0.1:9/"), "HTTP 308"),
    "bad_request": (status(400), "HTTP 400"),
    "not_allowed": (status(401), "HTTP 401"),
    "not_found": (status(404), "HTTP 404"),
    "gone": (status(410), "HTTP 410"),
    "too_many_requests": (status(429, "Retry-After: 30"), "HTTP 429"),
    "an_error": (status(500), "HTTP 500"),
    "a_proxy_without_its_server": (
        answer(b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>Bad Gateway</html>"),
        "HTTP 502",
    ),
    "busy": (status(503, "Retry-After: Sat, 01 Jan 2050 00:00:00 GMT"), "HTTP 503"),
    "a_status_that_is_none": (answer(b"HTTP/1.1 abc\r\n\r\n"), "ConnectionError"),
}
TAKEN: dict[str, Behaviour] = {
    "no_content": status(204),
    "accepted": status(202),
    "a_body_shorter_than_said": answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"),
    "a_body_longer_than_said": answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{}{}{}"),
    "broken_chunks": answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "a_huge_body": answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", *[LONG] * 64),
    "an_encoding_that_is_none": answer(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nno gzip"),
}


def deliver(url: str) -> str | None:
    """Carry an event to an address, and return what went wrong."""
    return Sender([url], SECRET, DEADLINE_S).deliver("1", Message(target_of(url), "{}"))


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_written_down_for_another_try(name: str) -> None:
    behave, expected = FAULTS[name]
    with behaving(behave) as host:
        assert deliver(f"http://{host}/") == expected


@pytest.mark.parametrize("name", TAKEN)
def test_the_status_alone_tells_that_it_was_taken(name: str) -> None:
    with behaving(TAKEN[name]) as host:
        assert deliver(f"http://{host}/") is None


def test_a_port_without_a_listener_is_a_fault() -> None:
    assert deliver(f"http://127.0.0.1:{free_port()}/") == "ConnectionError"


def test_a_name_that_nobody_has_is_a_fault() -> None:
    assert deliver("http://nobody.invalid/") in ("ConnectionError", "no answer within 0.4 s")


def test_an_answer_that_is_no_tls_is_a_fault() -> None:
    with behaving(faulty.break_handshake) as host:
        assert deliver(f"https://{host}/") == "SSLError"
