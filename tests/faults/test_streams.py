"""An answer whose storage, database or client goes away midway ends too early, and the next is whole."""

import io
import socket
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from PIL import Image

from tests.postgres import Postgres
from tests.servers import Server, serving

FORM = "/api/exports?format=imagefolder&size=original"
PICTURES, ROWS = 12, 40_000
READ = 100_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve pictures of 2 MB each: more than the sockets between us hold."""
    noise = io.BytesIO()
    Image.effect_noise((1100, 1100), 100).convert("RGB").save(noise, "JPEG", quality=100, subsampling=0)
    with serving(tmp_path_factory.mktemp("exports"), WEB_CONCURRENCY="1") as server:
        server.upload_all(noise.getvalue(), PICTURES)
        server.await_all_done()
        yield server


def names(server: Server) -> list[str]:
    for _ in range(100):  # the one before may still be on its way out
        answer = requests.get(server.url + FORM, timeout=60)
        if answer.status_code != 503:
            break
        time.sleep(0.1)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_a_storage_that_goes_away_midway_breaks_the_answer_off_and_the_next_is_whole(server: Server) -> None:
    media = server.data_dir / "media"
    for _ in range(3):  # more often than exports may run at once
        with requests.get(server.url + FORM, stream=True, timeout=60) as answer:
            pieces = answer.iter_content(READ)
            next(pieces)
            aside = media.rename(media.with_name("away"))
            try:
                with pytest.raises(requests.exceptions.ChunkedEncodingError):
                    list(pieces)
            finally:
                aside.rename(media)
    assert len(names(server)) == PICTURES + 1
    told = server.output.read_text()
    assert told.count("storage is away") == 3
    assert "Traceback" not in told


def test_clients_that_hang_up_midway_leave_room_for_the_next(server: Server) -> None:
    address = "127.0.0.1", int(server.url.rpartition(":")[2])
    for _ in range(3):
        with socket.create_connection(address, timeout=60) as client:
            client.sendall(f"GET {FORM} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            assert client.recv(READ).startswith(b"HTTP/1.1 ")
    assert len(names(server)) == PICTURES + 1


def test_a_database_that_goes_away_midway_breaks_a_depth_log_off(
    tmp_path: Path, postgres: Postgres, database: str
) -> None:
    columns = "".join(f",p{number}" for number in range(1, 201))
    csv = f"depth{columns}\n" + "".join(f"{number}.0{',7' * 200}\n" for number in range(ROWS))
    with serving(tmp_path, DATABASE_URL=postgres.url(database), WEB_CONCURRENCY="1") as server:
        address = f"{server.url}/api/frames?log=well"
        sent = requests.post(address, csv.encode(), headers={"Content-Type": "text/csv"}, timeout=60)
        assert sent.status_code == 201, sent.text
        with requests.get(f"{address}&format=csv", stream=True, timeout=60) as answer:
            pieces = answer.iter_content(READ)
            next(pieces)
            postgres.stop("immediate")
            try:
                with pytest.raises(requests.exceptions.ChunkedEncodingError):
                    list(pieces)
            finally:
                postgres.start()
        server.await_ready()
        assert requests.get(f"{address}&format=csv", timeout=60).text == csv
        assert "Traceback" not in server.output.read_text()
