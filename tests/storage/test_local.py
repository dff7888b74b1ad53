"""Every storage keeps bytes under keys, whole or not at all, and forgives a second delete."""

import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from imgpipe.storage.local import LocalStorage
from imgpipe.storage.objects import ObjectStorage
from imgpipe.storage.protocol import MARK, MissingObject, Storage
from tests.s3 import ObjectServer, running

KEY = "originals/7f/0190a1b2-photo.jpg"


@pytest.fixture(scope="module")
def object_server() -> Iterator[ObjectServer]:
    with running() as server:
        yield server


@pytest.fixture
def local(tmp_path: Path) -> Storage:
    return marked(LocalStorage(tmp_path / "deep" / "media"))


@pytest.fixture
def s3(object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> Storage:
    for name, value in object_server.environ.items():
        monkeypatch.setenv(name, value)
    return marked(ObjectStorage(object_server.make_bucket()))


def marked(storage: Storage) -> Storage:
    storage.write_mark("here")
    return storage


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
    for look in (storage.open, storage.read):
        with pytest.raises(MissingObject):
            look(KEY)


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
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != MARK]


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".hidden", "a\0b", "A", "a\\b"]
)
def test_a_key_that_could_leave_the_storage_is_refused(storage: Storage, key: str) -> None:
    with pytest.raises(ValueError):
        storage.put(key, b"x")
    with pytest.raises(ValueError):
        storage.open(key)


def test_a_put_that_fails_leaves_the_old_bytes_and_no_draft(tmp_path: Path) -> None:
    storage = marked(LocalStorage(tmp_path))
    storage.put(KEY, b"old")
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(OSError):
        storage.put("folder", b"a file cannot replace a folder")
    assert read(storage, KEY) == b"old"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [MARK, Path(KEY).name]


def test_a_ping_tells_of_a_folder_that_is_gone(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "media")
    for make in (lambda: None, lambda: (tmp_path / "media").write_text("a file in its place")):
        make()
        with pytest.raises(OSError):
            storage.ping()


def test_what_is_there_is_told_without_being_read(storage: Storage) -> None:
    assert storage.exists(KEY) is False
    storage.put(KEY, b"x")
    assert storage.exists(KEY) is True


def test_a_mark_is_read_back_replaced_and_no_key(storage: Storage) -> None:
    assert storage.read_mark() == "here"
    storage.write_mark("there")
    assert (storage.read_mark(), list(storage.keys())) == ("there", [])
    with pytest.raises(ValueError):
        storage.open(MARK)


def test_a_folder_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    storage = marked(LocalStorage(tmp_path / "media"))
    storage.put(KEY, b"x")
    (tmp_path / "media").rename(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        storage.put(KEY, b"y")
    assert not (tmp_path / "media").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "media")
    storage.put(KEY, b"z")
    assert read(storage, KEY) == b"z"


@pytest.mark.parametrize("in_the_way", ["originals", "originals/7f"])
def test_a_file_in_the_place_of_a_folder_is_an_os_error(tmp_path: Path, in_the_way: str) -> None:
    storage = marked(LocalStorage(tmp_path))
    (tmp_path / in_the_way).parent.mkdir(exist_ok=True)
    (tmp_path / in_the_way).write_text("a file")
    with pytest.raises(OSError):
        storage.put(KEY, b"x")


def test_a_writer_that_finds_a_folder_there_syncs_the_one_above_before_it_returns(tmp_path: Path) -> None:
    """Another process may have made it a moment ago, and not have come to sync it."""
    storage = marked(LocalStorage(tmp_path / "media"))
    (tmp_path / "media" / "originals" / "7f").mkdir(parents=True)
    watched = (tmp_path / "media", tmp_path / "media" / "originals")
    with opened_folders(*watched) as opened:
        storage.put(KEY, b"x")
        assert set(opened) == set(watched)
        opened.clear()
        storage.put(KEY, b"y")
        assert opened == []


def test_several_are_stored_as_one_is_and_none_at_all_is_fine(storage: Storage) -> None:
    files = {KEY: b"one", "derivatives/7f/a.jpg": b"two", "derivatives/7f/b.jpg": b"three"}
    storage.put_all(files)
    storage.put_all({})
    assert {key: read(storage, key) for key in files} == files


def test_the_folder_of_several_files_is_synced_once_behind_the_last(tmp_path: Path) -> None:
    storage = marked(LocalStorage(tmp_path))
    folder = tmp_path / "derivatives" / "7f"
    storage.put_all({"derivatives/7f/a.jpg": b"x"})
    keys = [f"derivatives/7f/{name}.jpg" for name in "bcd"]
    with opened_folders(folder) as opened:
        storage.put_all(dict.fromkeys(keys, b"x"))
        assert opened == [folder]


def test_what_replaces_another_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = marked(LocalStorage(tmp_path))
    done = notes_of(monkeypatch, "fsync", "rename")
    storage.put(KEY, b"x")
    done.clear()
    storage.put(KEY, b"y")
    assert done == ["fsync", "rename", "fsync"]
    done.clear()
    storage.put_all({f"originals/7f/{name}.jpg": b"z" for name in "abc"})
    assert done == ["fsync"] * 3 + ["rename"] * 3 + ["fsync"]


def test_what_is_fresh_is_on_the_disk_with_its_name_when_put_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = marked(LocalStorage(tmp_path))
    storage.put(KEY, b"x")
    done = notes_of(monkeypatch, "fsync", "rename")
    storage.put("originals/7f/fresh.jpg", b"y", fresh=True)
    assert done == ["rename", "fsync", "fsync"]


@pytest.mark.parametrize("kind", [stat.S_ISREG, stat.S_ISDIR], ids=["file", "folder"])
@pytest.mark.parametrize("fresh", [False, True], ids=["known", "fresh"])
def test_what_the_disk_cannot_sync_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: bool, kind: Callable[[int], bool]
) -> None:
    storage = marked(LocalStorage(tmp_path))
    storage.put(KEY, b"x")
    sync = os.fsync

    def fail(handle: int) -> None:
        if kind(os.fstat(handle).st_mode):
            raise OSError(errno.EIO, "the disk is broken")
        sync(handle)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="broken"):
        storage.put("originals/7f/other.jpg", b"y", fresh=fresh)
    with pytest.raises(OSError, match="broken"):
        storage.put_all({"originals/7f/a.jpg": b"y", "originals/8f/b.jpg": b"z"})


def test_an_interpreter_that_ends_lends_no_threads_and_stores_all_the_same(tmp_path: Path) -> None:
    program = (
        "import atexit, sys; from pathlib import Path; from imgpipe.storage.local import LocalStorage;"
        "storage = LocalStorage(Path(sys.argv[1])); storage.write_mark('here');"
        "atexit.register(storage.put_all, {'a/one': b'1', 'a/two': b'2'})"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=60)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["one", "two"]


def test_a_process_forked_off_from_one_that_has_stored_stores_as_well(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from imgpipe.storage.local import LocalStorage;"
        "storage = LocalStorage(Path(sys.argv[1])); storage.write_mark('here');"
        "storage.put_all({'a/one': b'1', 'a/two': b'2'}); child = os.fork();"
        "storage.put_all({f'a/{os.getpid()}': b'3', f'b/{os.getpid()}': b'4'});"
        "child and sys.exit(os.waitpid(child, 0)[1])"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=60)
    assert len(list(LocalStorage(tmp_path).keys())) == 6


def notes_of(monkeypatch: pytest.MonkeyPatch, *names: str) -> list[str]:
    """Note the calls of some functions of ``os``, which are made all the same, as each begins."""
    done: list[str] = []

    def noting(name: str) -> Callable[..., object]:
        really = getattr(os, name)

        def call(*arguments: object) -> object:
            done.append(name)
            return really(*arguments)

        return call

    for name in names:
        monkeypatch.setattr(os, name, noting(name))
    return done


@contextmanager
def opened_folders(*watched: Path) -> Iterator[list[Path]]:
    """List which of the folders are opened, as they are to be synced, for the length of a block."""
    opened: list[Path] = []
    on = True

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if on and event == "open" and Path(str(arguments[0])) in watched:
            opened.append(Path(str(arguments[0])))

    sys.addaudithook(hear)  # can't be taken back, only be deaf
    try:
        yield opened
    finally:
        on = False
