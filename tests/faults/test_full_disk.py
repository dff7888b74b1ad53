"""A full disk refuses uploads in plain words, leaves nothing half stored, and is over with the first room."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.api.test_admission import ask_for_leave
from tests.factories import jpeg
from tests.servers import Server, serving

SIZE_BYTES = 12 * 2**20
TO_THE_LAST_BYTE = {"IMGPIPE_MIN_FREE_BYTES": "0"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of its own of 12 MiB, as the superuser may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command to make a small disk with")
    if done.returncode:
        pytest.skip(f"no small disk can be made: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, spare_bytes: int) -> Path:
    """Leave ``spare_bytes`` of the disk."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    with ballast.open("r+b") as file:
        file.truncate(ballast.stat().st_size - spare_bytes)
    return ballast


def post(server: Server, data: bytes) -> requests.Response:
    return requests.post(f"{server.url}/api/images", files={"file": ("a.jpg", data)}, timeout=60)


def drafts(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix == ".part"]


def assert_unavailable(response: requests.Response) -> None:
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["code"]) == (503, "unavailable")
    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize("spare_bytes", [0, 200_000])
def test_a_full_disk_is_told_and_survived(small_disk: Path, spare_bytes: int) -> None:
    photo = jpeg(3000, 2000, quality=95)
    assert len(photo) > 200_000
    with serving(small_disk, TMPDIR=str(small_disk), **TO_THE_LAST_BYTE) as server:
        kept = server.upload(jpeg())
        server.await_all_done()
        ballast = fill(small_disk, spare_bytes)
        assert_unavailable(post(server, photo))
        assert drafts(small_disk) == []
        if not spare_bytes:
            assert server.await_ready(503)["checks"]["storage"] == "down"
        assert server.status("/api/health/status") == 200
        assert server.get(f"/api/images/{kept}")["status"] == "success"
        ballast.unlink()
        server.await_ready()
        server.upload(photo)
        totals = server.await_all_done()
        assert (totals["total"], totals["success"]) == (2, 2)
        originals = list((small_disk / "media" / "originals").rglob("*.jpg"))
        assert len(originals) == 2


def test_pictures_that_were_accepted_wait_for_room_and_are_no_crash(small_disk: Path, heavy: bytes) -> None:
    with serving(small_disk, **TO_THE_LAST_BYTE) as server:
        ids = server.upload_all(heavy, 15)
        ballast = fill(small_disk, 0)
        time.sleep(2)
        assert server.get("/api/stats")["processing"] > 0
        ballast.unlink()
        totals = server.await_all_done()
        assert (totals["total"], totals["success"]) == (len(ids), len(ids))
        assert drafts(small_disk) == []


def test_below_the_bytes_that_stay_free_uploads_are_turned_away_unread(small_disk: Path) -> None:
    with serving(small_disk, WEB_CONCURRENCY="1", IMGPIPE_MIN_FREE_BYTES=str(3 * 2**20)) as server:
        ballast = fill(small_disk, 2 * 2**20)
        before = {path for path in small_disk.rglob("*") if "media" in path.parts}
        for _ in range(3):
            response = post(server, jpeg())
            assert (response.status_code, response.json()["code"]) == (503, "busy")
        assert ask_for_leave(server.port).startswith(b"HTTP/1.1 503 ")
        assert {path for path in small_disk.rglob("*") if "media" in path.parts} == before
        ballast.unlink()
        server.upload(jpeg())
        assert server.await_all_done()["success"] == 1
