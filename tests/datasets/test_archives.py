"""Archives that are written as streams are read by everybody, whatever their length."""

import io
import tarfile
import zipfile
from tempfile import SpooledTemporaryFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgpipe.datasets import archives
from imgpipe.datasets.archives import File

FILES = [("a.txt", b"hello"), ("images/b.bin", bytes(range(256)) * 300), ("empty", b"")]


def files(names: list[tuple[str, bytes]] = FILES) -> list[File]:
    return [File(name, content) for name, content in names]


class Sized(io.BytesIO):
    """A stream of a length that is only told."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._told = size

    def seek(self, *_: int) -> int:
        return self._told


def test_a_zip_holds_what_was_put_in() -> None:
    with zipfile.ZipFile(io.BytesIO(b"".join(archives.zipped(files())))) as archive:
        assert archive.testzip() is None
        assert [(name, archive.read(name)) for name in archive.namelist()] == FILES


def test_a_tar_holds_what_was_put_in_and_ends_on_a_full_record() -> None:
    data = b"".join(archives.tar(files()))
    assert len(data) % tarfile.RECORDSIZE == 0
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = {name: archive.extractfile(name) for name in archive.getnames()}
        assert [(name, file.read()) for name, file in members.items() if file] == FILES


@given(
    st.from_regex("[a-z/._-]{1,100}", fullmatch=True), st.integers(0, 8**11 - 1), st.integers(0, 8**11 - 1)
)
def test_a_member_of_a_tar_begins_as_the_standard_library_writes_it(name: str, size: int, mtime: int) -> None:
    expected = tarfile.TarInfo(name)
    expected.size, expected.mtime = size, mtime
    assert archives._tar_header(File(name, Sized(size), mtime)) == expected.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(("name", "size"), [("a" * 101, 1), ("a", 8**11)])
def test_what_does_not_fit_a_tar_is_refused(name: str, size: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        archives._tar_header(File(name, Sized(size)))


def test_an_archive_of_nothing_is_one_too() -> None:
    with zipfile.ZipFile(io.BytesIO(b"".join(archives.zipped([])))) as zipped:
        assert zipped.namelist() == []
    with tarfile.open(fileobj=io.BytesIO(b"".join(archives.tar([])))) as tar:
        assert tar.getnames() == []


def test_a_stream_is_packed_like_its_bytes() -> None:
    with SpooledTemporaryFile() as content:
        content.write(b"x" * 3_000_000)
        for pack in (archives.zipped, archives.tar):
            streamed = b"".join(pack([File("a", content)]))
            assert streamed == b"".join(pack([File("a", b"x" * 3_000_000)]))


def test_more_files_than_sixteen_bits_count_are_all_listed() -> None:
    many = [(f"{number:05}", b"") for number in range(66_000)]
    with zipfile.ZipFile(io.BytesIO(b"".join(archives.zipped(files(many))))) as archive:
        assert archive.namelist() == [name for name, _ in many]


def test_what_lies_beyond_four_gigabytes_has_its_64_bit_fields() -> None:
    entry = archives._Entry(b"a", archives.FULL32 + 1, 0)
    assert len(entry.header()) == 30 + 1 + 20
    assert len(entry.listed(archives.FULL32 + 5)) == 46 + 1 + 28
    assert len(archives._Entry(b"a", 1, 0).listed(archives.FULL32 + 5)) == 46 + 1 + 12
    assert len(archives._end(1, 1, archives.FULL32)) == 56 + 20 + 22


@pytest.mark.soak
def test_a_zip_of_five_gigabytes_is_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("zip") / "large.zip"
    block = bytes(2**28)
    with path.open("wb") as file:
        for piece in archives.zipped(File(f"{number}", block) for number in range(20)):
            file.seek(len(piece), 1) if piece is block else file.write(piece)  # holes take no room
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 20
