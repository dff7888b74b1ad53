"""The client against a real server: behind a proxy that loses answers, nothing is sent twice."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from imgpipe.client import ApiError, Client, Unreachable
from imgpipe.database.outbox import target_of
from imgpipe.webhooks.delivery import Sender
from imgpipe.webhooks.queue import Message
from tests.factories import jpeg
from tests.servers import ROOT, Server, free_port, serving
from tests.webhooks.receiver import SECRET


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.url, retry_s=20) as made:
        yield made


@contextmanager
def losing_every_third_answer(target: str) -> Iterator[str]:
    """Run a proxy that passes every request on and drops every third answer on its way back."""
    gate, count = threading.Lock(), [0]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            try:
                answer = requests.request(
                    self.command, target + self.path, data=body, headers=headers, timeout=30
                )
            except requests.ConnectionError:
                self.connection.close()
                return
            with gate:
                count[0] += 1
                lost = count[0] % 3 == 0
            if lost:
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)
            return

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as proxy:
        proxy.daemon_threads = True
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
        proxy.shutdown()
        thread.join()


def upload_through_losses(server: Server, count: int) -> None:
    """Upload pictures while answers are lost and everything is killed once in between."""
    with losing_every_third_answer(server.url) as url, Client(url, retry_s=60) as client:
        ids = {client.upload(jpeg(40 + n % 60, 30 + n // 60))["image_id"] for n in range(count // 2)}
        server.kill()
        server.start()
        ids |= {client.upload(jpeg(41 + n % 60, 90 + n // 60))["image_id"] for n in range(count // 2)}
    assert len(ids) == count
    assert server.get("/api/stats")["total"] == count


def test_lost_answers_and_a_kill_make_no_second_picture(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        upload_through_losses(server, 24)


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_hundred_uploads_through_losses_are_two_hundred_pictures(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    options = {}
    if kind == "postgresql":
        postgres = request.getfixturevalue("postgres")
        options["DATABASE_URL"] = postgres.create(f"client_{tmp_path.name.replace('-', '_')}"[:60])
    with serving(tmp_path, **options) as server:
        upload_through_losses(server, 200)


def test_a_picture_goes_in_is_awaited_found_and_downloaded(client: Client, tmp_path: Path) -> None:
    data = jpeg(301, 200)
    sent = client.upload(data, "harbour.jpg", labels=["sea"])
    done = client.wait(sent["image_id"])
    assert (done["status"], done["original_name"], done["labels"]) == ("success", "harbour.jpg", ["sea"])
    found = client.find(data)
    assert found is not None
    assert found["image_id"] == sent["image_id"]
    assert client.download(sent["image_id"], tmp_path / "back.jpg").read_bytes() == data
    assert client.download(sent["image_id"], tmp_path / "small.jpg", "small").stat().st_size > 0
    assert sent["image_id"] in {image["image_id"] for image in client.images(label="sea", limit=1)}


def test_many_files_go_in_once_and_each_is_told(client: Client, tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(120 + number, 80))
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    told: list[int] = []
    files = sorted(tmp_path.iterdir())
    first = client.upload_many(files, lambda count, _: told.append(count))
    assert told == [1, 2, 3, 4, 5, 6]
    assert sum(outcome.fault is None for outcome in first) == 5
    again = client.upload_many(files)
    assert [outcome.known for outcome in again] == [True] * 5 + [False]


def test_a_refusal_is_an_error_with_its_code(client: Client) -> None:
    with pytest.raises(ApiError) as raised:
        client.upload(b"no picture")
    assert (raised.value.status, raised.value.code) == (400, "unsupported_type")
    assert raised.value.request_id


def test_a_delete_may_come_twice(client: Client) -> None:
    image_id = client.upload(jpeg(77, 66))["image_id"]
    client.delete(image_id)
    client.delete(image_id)
    with pytest.raises(ApiError):
        client.image(image_id)


def test_a_depth_range_is_an_array(client: Client) -> None:
    rows = np.arange(40, dtype=np.uint8).reshape(4, 10)
    lines = [",".join(["depth", *(f"c{n}" for n in range(10))])]
    lines += [",".join([f"{n}.5", *map(str, row)]) for n, row in enumerate(rows.tolist())]
    assert client.store_log("\n".join(lines).encode(), "well")["rows"] == 4
    frames = client.frames("well", source=True, depth_min=1, depth_max=10)
    assert np.array_equal(frames.pixels, rows[1:])
    assert frames.holes is None
    assert (frames.depth_min, frames.depth_max) == (1.5, 3.5)
    assert client.log("well")["rows"] == 4


def test_a_data_set_is_saved_whole(client: Client, tmp_path: Path) -> None:
    client.wait(client.upload(jpeg(99, 88))["image_id"])
    saved = client.export(tmp_path / "set.zip", format="imagefolder")
    assert saved.read_bytes()[:2] == b"PK"
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]


def test_a_server_that_is_not_there_is_unreachable_after_the_time_for_tries() -> None:
    with Client("http://127.0.0.1:9", retry_s=0.3) as client, pytest.raises(Unreachable):
        client.image("x")


def test_a_next_page_that_leads_elsewhere_is_not_followed(client: Client) -> None:
    with pytest.raises(ValueError, match="not an address"):
        client._transport.request("GET", "http://elsewhere.example/api/images")


def test_the_examples_run(server: Server, client: Client, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "new.jpg").write_bytes(jpeg(222, 111))
    watch = "import sys; sys.path.insert(0, 'examples'); import watch_folder, pathlib; "
    watch += f"watch_folder.main(pathlib.Path({str(tmp_path / 'in')!r}), {server.url!r}, 1)"
    told = subprocess.run([sys.executable, "-c", watch], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "new.jpg: sent" in told.stdout
    assert client.find(jpeg(222, 111)) is not None


def test_the_example_of_a_plot_draws_a_depth_range(server: Server, client: Client, tmp_path: Path) -> None:
    client.store_log(b"depth,a,b\n1.0,7,8\n2.0,9,10\n3.0,11,12\n", "plotted")
    target = tmp_path / "range.png"
    arguments = ("plotted", "1", "2", str(target), server.url)
    command = [sys.executable, str(ROOT / "examples/plot_depth_range.py"), *arguments]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    told = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
    assert told.startswith("2 rows from 1.0 to 2.0")
    assert target.read_bytes().startswith(b"\x89PNG")


def test_the_example_of_a_receiver_prints_an_event_that_is_signed() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, str(ROOT / "examples/receive_webhooks.py"), SECRET, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as program:
        message = Message(target_of(url), '{"type": "image.succeeded"}')
        while Sender([url], SECRET).deliver("event-1", message) == "ConnectionError":
            assert program.poll() is None
            time.sleep(0.05)
        assert program.stdout
        assert program.stdout.readline() == "event-1 image.succeeded\n"
        assert Sender([url], "whsec_bm9uZQ==").deliver("event-2", message) == "HTTP 401"
        program.kill()


def test_the_example_of_a_captioner_describes_pictures(tmp_path: Path) -> None:
    with (
        serving(tmp_path, IMGPIPE_CAPTIONER="examples.own_captioner:Brightness") as server,
        Client(server.url) as client,
    ):
        done = client.wait(client.upload(jpeg(90, 60))["image_id"])
    assert done["caption"] in ("A dark picture", "A bright picture")
    assert done["caption_source"] == {"provider": "own", "model": "brightness-1"}
    assert hashlib.sha256(jpeg(90, 60)).hexdigest() == done["sha256"]
