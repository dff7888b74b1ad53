"""Events of a real server on their way to a receiver that flaps, over kills: none is lost, ids are stable."""

import time
from pathlib import Path

import pytest

from tests.factories import jpeg
from tests.servers import serving
from tests.webhooks.receiver import SECRET, WORKED, receiving

PICTURES, PATIENCE_S = 40, 120


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_event_arrives_under_one_id(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    with receiving() as receiver:
        receiver.answer = lambda number: (500, WORKED, 204, 204)[number % 4]
        options = {"IMGPIPE_WEBHOOK_URL": receiver.url, "IMGPIPE_WEBHOOK_SECRET": SECRET}
        if kind == "postgresql":
            options["DATABASE_URL"] = request.getfixturevalue("postgres").create("webhooks")
        with serving(tmp_path, **options) as server:
            ids = []
            for number in range(PICTURES):
                ids.append(server.upload(jpeg(60 + number, 50)))
                if number % 15 == 14:
                    server.kill()
                    server.start()
            server.await_all_done()
            for id in ids[: PICTURES // 2]:
                server.delete(id)
            expected = PICTURES + PICTURES // 2
            deadline = time.monotonic() + PATIENCE_S
            while len({message for message, _ in receiver.seen}) < expected:
                assert time.monotonic() < deadline, receiver.kinds()
                time.sleep(0.1)
    told = {message: (event["data"]["image_id"], event["type"]) for message, event in receiver.seen}
    assert len(told) == len(set(told.values())) == expected
    assert {id for id, _ in told.values()} == set(ids)
    assert receiver.unsigned == []
    assert len(receiver.tries) > len(told)
