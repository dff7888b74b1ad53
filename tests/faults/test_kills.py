"""Many pictures are queued, then the worst happens: each one still ends well, once, and soon."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.factories import png
from tests.servers import Server, serving

PICTURES, CUT_SHORT = 30, 60  # queued before a blow; sent while it falls
SEED = 20261120


def kill_a_worker(server: Server) -> None:
    random.choice(server.workers()).kill()


def kill_everything(server: Server) -> None:
    server.kill()
    server.start()


def restart(server: Server) -> None:
    server.stop()
    server.start()


BLOWS = (kill_a_worker, kill_everything, restart)


def moments(count: int, soaking: int) -> list[Any]:
    """Draw moments, each the number of pictures done when the blow falls; ``soaking`` more for the soak."""
    draw = random.Random(SEED)
    drawn = [draw.randrange(PICTURES - 10) for _ in range(count + soaking)]
    soak = pytest.mark.soak
    return [
        pytest.param(done, id=f"{number}-after-{done}", marks=soak if number >= count else ())
        for number, done in enumerate(drawn)
    ]


def await_done(server: Server, done: int) -> None:
    while server.get("/api/stats")["success"] < done:
        time.sleep(0.01)


def assert_each_was_rendered_once(server: Server, ids: list[str], at_least: bool = False) -> None:
    totals = server.await_all_done()
    rows = server.sql("SELECT id, status, running, stage, crashes FROM images")
    assert set(ids) <= {_dashed(row[0]) for row in rows}
    assert {row[1:] for row in rows} == {("success", 0, None, 0)}
    assert totals["success"] == totals["total"] == len(rows)
    assert at_least or len(rows) == len(ids)
    thumbnails = server.sql("SELECT image_id, count(*) FROM thumbnails GROUP BY image_id")
    assert [count for _, count in thumbnails] == [3] * len(rows)


def _dashed(hexadecimal: str) -> str:
    return "-".join(hexadecimal[a:b] for a, b in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))


@pytest.mark.parametrize("done", moments(1, soaking=22))
@pytest.mark.parametrize("blow", BLOWS)
def test_no_picture_is_lost_stuck_or_rendered_twice(
    tmp_path: Path, heavy: bytes, blow: Callable[[Server], None], done: int
) -> None:
    with serving(tmp_path) as server:
        ids = server.upload_all(heavy, PICTURES)
        await_done(server, done)
        assert server.get("/api/stats")["processing"] > 0
        blow(server)
        began = time.monotonic()
        assert_each_was_rendered_once(server, ids)
        print(f"all done {time.monotonic() - began:.1f} s after the recovery")


@pytest.mark.soak
@pytest.mark.parametrize("blow", BLOWS)
def test_the_lease_of_the_default_configuration_is_short_enough_too(
    tmp_path: Path, heavy: bytes, blow: Callable[[Server], None]
) -> None:
    with serving(tmp_path, IMGPIPE_LEASE_S="30") as server:
        ids = server.upload_all(heavy, PICTURES)
        await_done(server, 20)
        blow(server)
        assert_each_was_rendered_once(server, ids)


def test_an_upload_that_was_answered_survives_the_kill_of_everything(tmp_path: Path, heavy: bytes) -> None:
    answered: list[str] = []

    def send(_: int) -> None:
        with suppress(requests.RequestException):
            answered.append(server.upload(heavy))

    with serving(tmp_path) as server, ThreadPoolExecutor(4) as clients:
        sending = [clients.submit(send, number) for number in range(CUT_SHORT)]
        while len(answered) < 15:
            time.sleep(0.005)
        server.kill()
        for task in sending:
            task.result()
        server.start()
        assert 15 <= len(answered) < CUT_SHORT
        assert_each_was_rendered_once(server, answered, at_least=True)


def test_a_picture_whose_worker_dies_three_times_ends_as_crashed_and_others_do_not(tmp_path: Path) -> None:
    with serving(tmp_path, IMGPIPE_LEASE_S="1", IMGPIPE_WORKERS="1") as server:
        slow = server.upload(png(7900, 7900))
        for crash in range(3):
            while (True, crash) not in server.sql("SELECT running = 1, crashes FROM images"):
                time.sleep(0.01)
            for worker in server.workers():
                worker.kill()
        assert server.get("/api/stats")["processing"] == 1
        fine = server.upload(png())
        server.await_all_done()
        ends = [server.get(f"/api/images/{image_id}") for image_id in (slow, fine)]
        assert [(end["status"], end["error_code"]) for end in ends] == [
            ("failed", "crashed"),
            ("success", None),
        ]
