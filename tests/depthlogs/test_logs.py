"""Depth logs through the use cases: what a CSV says is what comes back, whatever was there before."""

import io
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from imgpipe.database.engine import db
from imgpipe.depthlogs import logs
from imgpipe.depthlogs.logs import Receipt
from imgpipe.depthlogs.ranges import Interval
from imgpipe.errors import InvalidCsv, InvalidParameter, LogNotFound
from tests.depths import raw, shrunk, small, store
from tests.factories import jpeg, post
from tests.scanlines.logs import make_log

EVERYTHING = (-1.7e308, 1.7e308)
Upload = tuple[list[float], NDArray[np.uint8]]


def accept(csv: bytes, log: str = "a") -> Receipt:
    return logs.accept(io.BytesIO(csv), log)


def read(log: str, *bounds: float, source: bool = False) -> list[list[int]]:
    interval = Interval(logs.find(log), *(bounds or EVERYTHING), source=source)
    return [row for block in interval.blocks() for row in block.grey.tolist()]


def read_depths(log: str) -> list[float]:
    return [
        depth
        for rows in Interval(logs.find(log), *EVERYTHING).page(10_000).items
        for depth in rows.depths.tolist()
    ]


@pytest.fixture
def inside(app: Flask) -> Iterator[None]:
    """Run the test inside an app."""
    with app.app_context():
        yield


@st.composite
def uploads(draw: st.DrawFn) -> list[Upload]:
    """Draw one to three uploads of one width, whose depths come in any order and partly twice."""
    depths = draw(st.lists(st.floats(-1e300, 1e300) | st.sampled_from([0.0, -0.0, 9000.1]), min_size=1))
    width = draw(st.integers(1, 12))
    drawn = []
    for _ in range(draw(st.integers(1, 3))):
        own = draw(st.lists(st.sampled_from(depths) | st.floats(-9, 9), min_size=1, max_size=9))
        values = draw(st.binary(min_size=len(own) * width, max_size=len(own) * width))
        drawn.append((own, np.frombuffer(values, np.uint8).reshape(-1, width)))
    return drawn


@pytest.mark.usefixtures("inside")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(uploads())
def test_a_log_holds_the_last_row_of_every_depth_in_order(drawn: list[Upload]) -> None:
    name = uuid4().hex
    expected: dict[float, list[int]] = {}
    for depths, pixels in drawn:
        new = dict(zip(depths, pixels.tolist(), strict=True))
        receipt = accept(make_log(depths, pixels), name)
        assert (receipt.rows, receipt.replaced) == (len(new), len(new.keys() & expected.keys()))
        assert (receipt.depth_min, receipt.depth_max) == (min(new), max(new))
        expected |= new
    rows = [expected[depth] for depth in sorted(expected)]
    log = logs.find(name)
    assert read_depths(name) == sorted(expected)
    assert read(name, source=True) == rows
    assert read(name) == shrunk(np.array(rows, np.uint8)).tolist()
    assert (log.rows, log.uploads, log.depth_min) == (len(rows), len(drawn), min(expected))


@pytest.mark.usefixtures("inside")
def test_depths_stay_exact_to_the_last_bit() -> None:
    depths = [9000.1, np.nextafter(9000.1, 0), np.nextafter(9000.1, 1e9), 5e-324, 0.1 + 0.2, 1.7e308]
    accept(small(list(map(float, depths))))
    assert read_depths("a") == sorted(depths)
    assert len(read("a", 9000.1, 9000.1)) == 1


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("order", [1, -1])
def test_a_log_of_many_blocks_comes_back_whole_in_either_order(order: int) -> None:
    depths = [n / 8 for n in range(10_000)]
    pixels = np.random.default_rng(3).integers(0, 256, (10_000, 3), dtype=np.uint8)
    accept(make_log(depths[::order], pixels[::order]))
    assert np.array_equal(np.array(read("a", source=True)), pixels)
    assert np.array_equal(np.array(read("a", 500, 900.125, source=True)), pixels[4_000:7_202])


@pytest.mark.usefixtures("inside")
def test_logs_live_side_by_side() -> None:
    accept(small([1, 2, 3], seed=1), "a")
    before = read("a")
    accept(small([1, 2], seed=2), "b")
    assert read("a") == before
    logs.delete("b")
    assert read("a") == before
    with pytest.raises(LogNotFound):
        read("b")


@pytest.mark.usefixtures("inside")
def test_the_step_is_the_median_difference_of_the_whole_log() -> None:
    assert accept(small([9000.1])).depth_step is None
    assert accept(small([9000.2, 9000.3, 9000.4, 9001])).depth_step == 0.1
    accept(small([9001.5, 9002, 9002.5]))
    log = logs.find("a")
    assert (log.rows, log.depth_min, log.depth_max, log.depth_step) == (8, 9000.1, 9002.5, 0.5)


@pytest.mark.usefixtures("inside")
def test_a_step_too_large_for_a_number_is_none() -> None:
    assert accept(small([-1.7e308, 1.7e308])).depth_step is None


@pytest.mark.usefixtures("inside")
def test_widths_may_differ_and_are_known_until_the_last_row_of_one_is_replaced() -> None:
    accept(small([1, 2], width=7))
    accept(small([2, 3], width=300))
    assert logs.find("a").source_widths == [7, 300]
    assert [len(row) for row in read("a", 2, 3, source=True)] == [300, 300]
    with pytest.raises(InvalidParameter, match="7 and 300 pixels wide"):
        read("a", source=True)
    assert len(read("a")) == 3
    accept(small([1], width=300))
    assert logs.find("a").source_widths == [300]


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize(
    "name", ["", " ", "a/b", "..", "a" * 101, "a\0b", "a\nb", " a", "a ", "\ud800", "a\u202eb"]
)
def test_a_name_that_no_address_can_carry_is_refused(name: str) -> None:
    with pytest.raises(InvalidParameter, match="log: expected 1 to 100"):
        accept(small([1]), name)


@pytest.mark.usefixtures("inside")
def test_a_bad_file_leaves_the_log_as_it_was() -> None:
    accept(small([1, 2]))
    before = read("a"), logs.find("a").uploads
    with pytest.raises(InvalidCsv):
        accept(small([1, 3] * 5_000) + b"4,1,1,1,256\n")
    db.session.rollback()
    assert (read("a"), logs.find("a").uploads) == before


def test_nothing_of_an_import_is_left_beside_the_database(app: Flask, tmp_path: Path) -> None:
    with app.app_context():
        before = set(tmp_path.iterdir())
        accept(small([3, 1, 2]))
        assert {
            path for path in set(tmp_path.iterdir()) - before if not path.name.startswith("imgpipe.db")
        } == set()


class Gate(io.RawIOBase):
    """A CSV whose last part does not come before it is let through."""

    def __init__(self, csv: bytes) -> None:
        self._csv = io.BytesIO(csv)
        self.reached, self.opened = threading.Event(), threading.Event()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        count = self._csv.readinto(buffer)
        if not count:
            self.reached.set()
            assert self.opened.wait(30)
        return count


def accept_in(app: Flask, stream: io.RawIOBase | bytes) -> Receipt:
    with app.app_context():
        raw = io.BytesIO(stream) if isinstance(stream, bytes) else io.BufferedReader(stream)
        return logs.accept(raw, "a")


def test_nothing_is_locked_while_a_file_is_read(app: Flask, client: FlaskClient) -> None:
    gate = Gate(small([n / 10 for n in range(1_000)]))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(accept_in, app, gate)
        assert gate.reached.wait(30)
        assert post(client, jpeg()).status_code == 202
        assert client.get("/api/frames/logs").json["data"] == []  # type: ignore[index]
        assert store(client, small([5000.5, 5000.6]), "a")["replaced"] == 0
        gate.opened.set()
        assert running.result().replaced == 0
    assert len(raw(client, log="a")) == 1_002


def test_pictures_come_in_while_an_import_writes(app: Flask, client: FlaskClient) -> None:
    csv = small([n / 10 for n in range(100_000)], width=2)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(accept_in, app, csv)
        answers = [post(client, jpeg(60, 60)).status_code]
        while not running.done():
            answers.append(post(client, jpeg(60, 60)).status_code)
        assert running.result().rows == 100_000
    assert set(answers) == {202}


def test_a_reader_sees_the_old_log_or_the_new_one(app: Flask, client: FlaskClient) -> None:
    depths = [n / 10 for n in range(30_000)]
    old, new = (make_log(depths, np.full((30_000, 2), value, np.uint8)) for value in (1, 2))
    store(client, old, "a")
    seen = []
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(accept_in, app, new)
        while not running.done():
            seen.append(np.unique(raw(client, log="a")).tolist())
        running.result()
    assert seen[0] == [1]
    assert all(values in ([1], [2]) for values in seen)
    assert np.unique(raw(client, log="a")).tolist() == [2]


def test_an_answer_that_streams_belongs_to_the_log_as_it_began(client: FlaskClient) -> None:
    depths = [n / 10 for n in range(20_000)]
    store(client, make_log(depths, np.full((20_000, 2), 1, np.uint8)), "a")
    query = {"depth_min": 0, "depth_max": 1e9, "log": "a", "format": "raw"}
    response = client.get("/api/frames", query_string=query, buffered=False)
    stream = iter(response.iter_encoded())
    first = next(stream)
    store(client, make_log(depths, np.full((20_000, 2), 2, np.uint8)), "a")
    assert set(first + b"".join(stream)) == {1}
    response.close()


def test_two_imports_into_one_log_at_once_both_count(app: Flask, client: FlaskClient) -> None:
    files = [small([k + n / 8 for n in range(500)], seed=k) for k in range(6)]
    with ThreadPoolExecutor(len(files)) as pool:
        receipts = list(pool.map(lambda csv: accept_in(app, csv), files))
    log = client.get("/api/frames/logs/a").json["data"]  # type: ignore[index]
    assert log["uploads"] == 6
    assert log["rows"] == 540 == sum(receipt.rows - receipt.replaced for receipt in receipts)


def test_an_import_needs_few_open_files(app: Flask) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    accept_in(app, small([3, 1, 2]))
    after = len(os.listdir("/proc/self/fd")) if before else 0
    assert after <= before + 3  # the database's
