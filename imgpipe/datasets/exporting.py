"""Write a data set into a folder: whole or not at all, in place of the one before."""

import os
import re
import shutil
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import IO, Protocol

from imgpipe.datasets import archives, layouts, samples
from imgpipe.datasets.archives import File
from imgpipe.datasets.samples import Recipe, Sample

FORMATS = (*layouts.FORMATS, "jsonl")
SHARD = 10_000  # img2dataset's number of samples in a shard
MARK = ".imgpipe-export"  # hidden, so that loaders pass it over
_OLD, _ASIDE = ".old", ".aside"  # what was there before: on its way out of it, and all of it
_OURS = re.compile(
    r"images|metadata\.jsonl|[\w-]+-\d{6}\.tar|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.\w{1,5}"
)


class _Writer(Protocol):
    def add(self, sample: Sample) -> None: ...
    def close(self) -> None: ...


class _Folder:
    """Write every file of a layout below a folder."""

    def __init__(self, root: Path, form: str) -> None:
        self._root, self._layout = root, layouts.FORMATS[form]()
        if form == "imagefolder":
            (root / "images").mkdir()

    def add(self, sample: Sample) -> None:
        for file in self._layout.files(sample, sample.data or b""):
            self._write(file)

    def close(self) -> None:
        with closing(self._layout):
            for file in self._layout.rest():
                self._write(file)

    def _write(self, file: File) -> None:
        path = self._root / file.name
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
            (self._root / Path(file.name).parts[0] / MARK).touch()
        with path.open("wb") as written:
            written.writelines(file.chunks())


class _Shards:
    """Write tars of at most 10,000 samples: ``shard-000000.tar`` and on, ``train-000000.tar`` in a split."""

    def __init__(self, root: Path, shard: int = SHARD) -> None:
        self._root, self._full = root, shard
        self._layout = layouts.WebDataset()
        self._counts: dict[str, int] = {}
        self._open: dict[str, IO[bytes]] = {}

    def add(self, sample: Sample) -> None:
        side = sample.side or "shard"
        number, place = divmod(self._counts.get(side, 0), self._full)
        if place == 0:
            self._finish(side)
            self._open[side] = (self._root / f"{side}-{number:06}.tar").open("wb")
        files = (
            File(file.name.removeprefix(sample.part), file.content, file.mtime)
            for file in self._layout.files(sample, sample.data or b"")
        )
        self._open[side].writelines(archives.members(files))
        self._counts[side] = self._counts.get(side, 0) + 1

    def close(self) -> None:
        for side in list(self._open):
            self._finish(side)

    def _finish(self, side: str) -> None:
        if shard := self._open.pop(side, None):
            with shard:
                shard.write(archives.end_of_tar(shard.tell()))


class _Lines:
    """Write one list and no pictures."""

    def __init__(self, root: Path) -> None:
        self._list = (root / layouts.METADATA).open("wb")

    def add(self, sample: Sample) -> None:
        self._list.write(layouts.jsonl(sample))

    def close(self) -> None:
        self._list.close()


def _writer(form: str, root: Path) -> _Writer:
    if form == "webdataset":
        return _Shards(root)
    return _Lines(root) if form == "jsonl" else _Folder(root, form)


def export(out: Path, form: str, recipe: Recipe) -> Generator[Sample, None, None]:
    """Write a data set in one of ``FORMATS`` to the folder ``out``; yields each picture once it is written.

    Until the last one is, an earlier export at ``out`` stays as it was; then the new one takes its place.
    Raises: ``FileExistsError`` when ``out`` holds anything that is no export; other ``OSError``.
    """
    draft = _prepare(out)
    try:
        with closing(_writer(form, draft)) as writer:
            for sample in samples.read(recipe, with_data=form != "jsonl"):
                if sample.data is not None or form == "jsonl":
                    writer.add(sample)
                yield sample
        _replace(out, draft)
    finally:
        _recover(out, draft)


def _prepare(out: Path) -> Path:
    """Make ``out`` ours and return an empty folder in it for the draft."""
    out.mkdir(parents=True, exist_ok=True)
    if not (out / MARK).exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} holds files that no export wrote; name an empty folder.")
    (out / MARK).touch()
    draft = out / ".draft"
    _recover(out, draft)
    draft.mkdir()
    return draft


def _replace(out: Path, draft: Path) -> None:
    """Let the draft take the place of what an earlier export left, by renaming alone.

    A list goes first and comes last, so that a crash in between leaves none that names what is not there.
    Raises: ``OSError``; then ``_recover`` brings the earlier export back.
    """
    new = [path for path in draft.iterdir() if not path.name.startswith(".")]
    for path in new:
        if (out / path.name).exists() and not _is_ours(out / path.name):
            raise FileExistsError(f"{out / path.name} is in the way, and no export wrote it.")
    os.sync()  # no name may outlive its bytes
    old = draft / _OLD
    old.mkdir()
    for path in sorted(filter(_is_ours, out.iterdir()), key=_is_list, reverse=True):
        _move(path, old)
    old.rename(draft / _ASIDE)
    for path in sorted(new, key=_is_list):
        _move(path, out)
    (draft / _ASIDE).rename(draft / ".done")  # from here on nobody wants it back


def _recover(out: Path, draft: Path) -> None:
    """Bring back what an earlier export left, where one that failed or was killed had moved it aside."""
    if (draft / _ASIDE).exists():  # all of it, so whatever is in its place is of the one that failed
        for path in sorted(filter(_is_ours, out.iterdir()), key=_is_list, reverse=True):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for aside in (draft / _OLD, draft / _ASIDE):
        for path in sorted(aside.iterdir(), key=_is_list) if aside.exists() else ():
            _move(path, out)
    shutil.rmtree(draft, ignore_errors=True)


def _move(path: Path, folder: Path) -> None:
    """Rename into a folder; a list only behind all that came before it, and before all that comes after."""
    if _is_list(path):
        _sync(folder, path.parent)
    path.rename(folder / path.name)
    if _is_list(path):
        _sync(folder, path.parent)


def _sync(*folders: Path) -> None:
    """Make the names in the folders durable."""
    for folder in folders:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _is_list(path: Path) -> bool:
    return path.name == layouts.METADATA


def _is_ours(path: Path) -> bool:
    return _OURS.fullmatch(path.name) is not None or (path.is_dir() and (path / MARK).exists())
