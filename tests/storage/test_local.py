"""Every storage keeps bytes under keys, whole or not at all, and forgives a second delete."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from imgpipe.storage.local import LocalStorage
from imgpipe.storage.objects import ObjectStorage
from imgpipe.storage.protocol import MissingObject, Storage
from tests.s3 import ObjectServer, running

KEY = "originals/7f/0190a1b2-photo.jpg"


@pytest.fixture(scope="module")
def object_server() -> Iterator[ObjectServer]:
    with running() as server:
        yield server


@pytest.fixture
def local(tmp_path: Path) -> Storage:
    return LocalStorage(tmp_path / "deep" / "media")


@pytest.fixture
def s3(object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> Storage:
    for name, value in object_server.environ.items():
        monkeypatch.setenv(name, value)
    return ObjectStorage(object_server.make_bucket())


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest) -> Storage:
    chosen: Storage = request.getfixturevalue(request.param)
    return chosen


def read(storage: Storage, key: str) -> bytes:
    with storage.open(key) as stream:
        return stream.read()


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 5000])
def test_what_was_put_is_read_back(storage: Storage, data: bytes) -> None:
    storage.put(KEY, data)
    assert read(storage, KEY) == data


def test_a_second_put_replaces_the_first(storage: Storage) -> None:
    storage.put(KEY, b"a longer first")
    storage.put(KEY, b"second")
    assert read(storage, KEY) == b"second"


def test_an_open_stream_can_be_sought(storage: Storage) -> None:
    storage.put(KEY, b"0123456789")
    with storage.open(KEY) as stream:
        assert (stream.seek(4), stream.read(3)) == (4, b"456")


def test_what_is_missing_raises_the_common_error(storage: Storage) -> None:
    with pytest.raises(MissingObject):
        storage.open(KEY)


def test_deleting_forgets_and_deleting_twice_is_fine(storage: Storage) -> None:
    storage.put(KEY, b"x")
    storage.delete(KEY)
    storage.delete(KEY)
    with pytest.raises(MissingObject):
        storage.open(KEY)


def test_a_stream_that_is_being_read_outlives_delete_and_replacement(storage: Storage) -> None:
    storage.put(KEY, b"first")
    with storage.open(KEY) as stream:
        storage.put(KEY, b"second")
        storage.delete(KEY)
        assert stream.read() == b"first"


def test_a_reader_never_sees_a_part_while_others_write(storage: Storage) -> None:
    texts = {bytes([letter]) * 200_000 for letter in b"abcd"}
    storage.put(KEY, next(iter(texts)))
    writers = [threading.Thread(target=storage.put, args=(KEY, text)) for text in texts for _ in range(5)]
    for writer in writers:
        writer.start()
    seen = {read(storage, KEY) for _ in range(50)}
    for writer in writers:
        writer.join()
    assert seen <= texts


def test_a_ping_leaves_nothing_behind(storage: Storage, tmp_path: Path) -> None:
    storage.ping()
    assert not list(storage.keys())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".hidden", "a\0b", "A", "a\\b"]
)
def test_a_key_that_could_leave_the_storage_is_refused(storage: Storage, key: str) -> None:
    with pytest.raises(ValueError):
        storage.put(key, b"x")
    with pytest.raises(ValueError):
        storage.open(key)


def test_a_put_that_fails_leaves_the_old_bytes_and_no_draft(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.put(KEY, b"old")
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(OSError):
        storage.put("folder", b"a file cannot replace a folder")
    assert read(storage, KEY) == b"old"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [Path(KEY).name]


def test_a_ping_tells_of_a_folder_that_is_gone(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "media")
    (tmp_path / "media").rmdir()
    (tmp_path / "media").write_text("a file in its place")
    with pytest.raises(OSError):
        storage.ping()
