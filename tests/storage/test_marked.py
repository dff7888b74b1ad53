"""A storage without this installation's mark is away, not empty."""

from collections.abc import Callable
from pathlib import Path

import pytest

from imgpipe.storage.local import LocalStorage
from imgpipe.storage.marked import MarkedStorage
from imgpipe.storage.protocol import MARK, MissingObject

KEY = "originals/7f/0190a1b2-photo.jpg"


@pytest.fixture
def storage(tmp_path: Path) -> MarkedStorage:
    made = MarkedStorage(LocalStorage(tmp_path / "media"), lambda: "ours")
    made.write_mark("ours")
    made.put(KEY, b"x")
    return made


def unmounted(media: Path) -> None:
    media.rename(media.with_name("elsewhere"))
    media.mkdir()


def gone(media: Path) -> None:
    media.rename(media.with_name("elsewhere"))


def a_file(media: Path) -> None:
    gone(media)
    media.write_text("a file in its place")


def anothers(media: Path) -> None:
    unmounted(media)
    (media / MARK).write_text("theirs\n")


def damaged(media: Path) -> None:
    unmounted(media)
    (media / MARK).write_bytes(bytes(range(256)) * 1000)


AWAY = pytest.mark.parametrize("leave", [unmounted, gone, a_file, anothers, damaged])


@AWAY
def test_every_call_says_that_it_is_away_and_nothing_is_made(
    storage: MarkedStorage, tmp_path: Path, leave: Callable[[Path], None]
) -> None:
    media = tmp_path / "media"
    leave(media)
    before = sorted(tmp_path.rglob("*"))
    calls: list[Callable[[], object]] = [
        lambda: storage.put(KEY, b"y"),
        lambda: storage.open(KEY),
        lambda: storage.read(KEY),
        lambda: storage.exists(KEY),
        lambda: storage.delete(KEY),
        lambda: list(storage.keys()),
        storage.ping,
    ]
    for call in calls:
        with pytest.raises(OSError):
            call()
    assert sorted(tmp_path.rglob("*")) == before


def test_it_serves_again_as_soon_as_it_is_back(storage: MarkedStorage, tmp_path: Path) -> None:
    unmounted(tmp_path / "media")
    (tmp_path / "media").rmdir()
    (tmp_path / "elsewhere").rename(tmp_path / "media")
    storage.ping()
    assert storage.exists(KEY)


def test_what_is_missing_in_a_storage_that_is_there_is_missing(storage: MarkedStorage) -> None:
    for look in (storage.open, storage.read):
        with pytest.raises(MissingObject):
            look("originals/7f/other.jpg")
    assert storage.exists("originals/7f/other.jpg") is False


def test_a_mark_that_was_seen_is_trusted_for_a_while_but_not_by_a_ping(tmp_path: Path) -> None:
    looks = []
    storage = MarkedStorage(LocalStorage(tmp_path), lambda: looks.append(1) or "ours", trust_s=3600)  # type: ignore[func-returns-value]
    storage.write_mark("ours")
    for number in range(3):
        storage.put(f"{number}", b"x")
    assert len(looks) == 1
    storage.ping()
    assert len(looks) == 2


@AWAY
def test_what_is_missing_is_not_said_to_be_on_trust(
    storage: MarkedStorage, tmp_path: Path, leave: Callable[[Path], None]
) -> None:
    trusting = MarkedStorage(storage.store, lambda: "ours", trust_s=600)
    trusting.put(KEY, b"x")
    leave(tmp_path / "media")
    for ask in (trusting.open, trusting.exists):
        with pytest.raises(OSError):
            ask(KEY)
