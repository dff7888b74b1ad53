"""The reader of a client's bytes gives up a silent or dripping client, and its turn while it waits."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Semaphore

import pytest

from imgpipe.errors import RequestTimeout
from imgpipe.slowclients import DEADLINES, ClientReader, Deadlines

QUICK = Deadlines(no_byte_s=0.3, grace_s=0.6, least_bytes_s=1_000)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def read_on(reader: ClientReader) -> int:
    """Read until the reader has had enough, and return how many bytes came."""
    count = 0
    while True:
        try:
            count += len(reader.chunk())
        except RequestTimeout:
            return count


def feed(client: socket.socket, data: bytes, pause_s: float) -> None:
    for start in range(len(data)):
        client.sendall(data[start : start + 1])
        time.sleep(pause_s)


def test_the_deadlines_are_those_that_are_promised() -> None:
    assert Deadlines(no_byte_s=10, grace_s=30, least_bytes_s=1_000) == DEADLINES


def test_silence_ends(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].sendall(b"GET ")
    assert read_on(ClientReader(pair[0], Semaphore(), QUICK)) == 4


def test_a_drip_ends_though_there_is_never_silence(pair: tuple[socket.socket, socket.socket]) -> None:
    with ThreadPoolExecutor(1) as client:
        client.submit(feed, pair[1], b"x" * 100, 0.02)
        assert 0 < read_on(ClientReader(pair[0], Semaphore(), QUICK)) < 60


def test_who_was_given_up_is_not_waited_for_again(pair: tuple[socket.socket, socket.socket]) -> None:
    reader = ClientReader(pair[0], Semaphore(), QUICK)
    read_on(reader)
    began = time.monotonic()
    read_on(reader)
    assert time.monotonic() - began < QUICK.no_byte_s / 2


def test_the_next_request_has_a_clock_of_its_own(pair: tuple[socket.socket, socket.socket]) -> None:
    reader = ClientReader(pair[0], Semaphore(), QUICK)
    read_on(reader)
    reader.begin()
    pair[1].sendall(b"GET ")
    assert reader.chunk() == b"GET "


def test_the_time_of_the_application_does_not_count(pair: tuple[socket.socket, socket.socket]) -> None:
    reader = ClientReader(pair[0], Semaphore(), QUICK)
    for _ in range(3):
        time.sleep(QUICK.grace_s / 2)
        pair[1].sendall(b"x")
        assert reader.chunk() == b"x"


def test_who_waits_for_the_client_gives_its_turn_away(pair: tuple[socket.socket, socket.socket]) -> None:
    turns = Semaphore(1)
    with turns, ThreadPoolExecutor(1) as reading:
        waiting = reading.submit(ClientReader(pair[0], turns, QUICK).chunk)
        assert turns.acquire(timeout=5)
        pair[1].sendall(b"x")
        assert not waiting.done()
        turns.release()
        assert waiting.result(timeout=5) == b"x"
