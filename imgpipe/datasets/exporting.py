"""Write the finished pictures out as a data set: their squares, their captions and what is known of them."""

import contextlib
import io
import json
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Row, Select, func, select

from imgpipe.database.engine import db
from imgpipe.database.models import Image, Thumbnail, time_of
from imgpipe.database.walk import walk
from imgpipe.extensions import parts
from imgpipe.storage.protocol import MissingObject, Storage

READERS = 8
PAGE = 64  # pictures in memory at once
SHARD = 10_000  # img2dataset's number of samples in a shard
LIST = "metadata.jsonl"
MARK = ".imgpipe-export"  # hidden, so that loaders pass it over
_EXPORTED = re.compile(r"images|metadata\.jsonl|shard-\d{6}\.tar")


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture of the data set; ``data`` is its square, None when that file is missing."""

    row: Row[Any]
    data: bytes | None

    @property
    def name(self) -> str:
        """Return the file's name, unique and without a second dot."""
        return f"{self.row.id}.{self.row.format}"

    def describe(self) -> dict[str, Any]:
        """Return what is known of it; ``width`` and ``height`` are the upright original's, px."""
        return {
            "text": self.row.caption or "",
            "image_id": str(self.row.id),
            "original_name": self.row.original_name,
            "width": self.row.facts["width"],
            "height": self.row.facts["height"],
            "sha256": self.row.sha256,
            "caption_model": (self.row.caption_source or {}).get("model") or "",
        }


class Writer(Protocol):
    """Write samples one by one below a folder."""

    def add(self, sample: Sample, data: bytes) -> None:
        """Write one."""

    def close(self) -> None:
        """Complete what was written."""


class ImageFolder:
    """``images/<id>.jpg``, and a line each in ``metadata.jsonl``: what Hugging Face calls an ImageFolder."""

    def __init__(self, root: Path) -> None:
        self._images = root / "images"
        self._images.mkdir()
        self._index = (root / LIST).open("w", encoding="ascii")

    def add(self, sample: Sample, data: bytes) -> None:
        """Write the picture and its line."""
        (self._images / sample.name).write_bytes(data)
        line = {"file_name": f"images/{sample.name}", **sample.describe()}
        self._index.write(json.dumps(line) + "\n")

    def close(self) -> None:
        """Close the list."""
        self._index.close()


class WebDataset:
    """``shard-000000.tar`` and on, each with ``<id>.jpg``, ``<id>.txt`` and ``<id>.json`` for every sample.

    The same pictures give the same bytes again.
    """

    def __init__(self, root: Path, shard: int = SHARD) -> None:
        self._root = root
        self._full = shard
        self._count = 0
        self._shard: tarfile.TarFile | None = None

    def add(self, sample: Sample, data: bytes) -> None:
        """Append the three files, in a new shard when the last one is full."""
        shard = self._open_shard()
        facts = sample.describe()
        members = {sample.row.format: data, "txt": facts["text"].encode(), "json": json.dumps(facts).encode()}
        for suffix, content in members.items():
            member = tarfile.TarInfo(f"{sample.row.id}.{suffix}")
            member.size, member.mtime = len(content), int(time_of(sample.row.id).timestamp())
            shard.addfile(member, io.BytesIO(content))
        self._count += 1

    def close(self) -> None:
        """Close the last shard."""
        if self._shard:
            self._shard.close()

    def _open_shard(self) -> tarfile.TarFile:
        number, place = divmod(self._count, self._full)
        if self._shard is None or place == 0:
            self.close()
            self._shard = tarfile.TarFile(self._root / f"shard-{number:06}.tar", "w")
        return self._shard


FORMATS: Mapping[str, Callable[[Path], Writer]] = {"imagefolder": ImageFolder, "webdataset": WebDataset}


def count(captioned: bool = False) -> int:
    """Count the pictures that an export would write; ``captioned``: only those that have a caption."""
    found = db.session.scalar(_choose(select(func.count()), captioned))
    db.session.rollback()
    return found or 0


def export(out: Path, form: str, captioned: bool = False) -> Generator[Sample, None, None]:
    """Write a data set in one of ``FORMATS`` to the folder ``out``; yields each picture once it is written.

    Until the last one is, an earlier export at ``out`` stays as it was; then the new one takes its place.
    Raises: ``FileExistsError`` when ``out`` holds anything that is no export; other ``OSError``.
    """
    draft = _prepare(out)
    try:
        with contextlib.closing(FORMATS[form](draft)) as writer:
            for sample in _samples(captioned):
                if sample.data is not None:
                    writer.add(sample, sample.data)
                yield sample
        _replace(out, draft)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _samples(captioned: bool) -> Iterator[Sample]:
    columns = (Image.id, Image.original_name, Image.caption, Image.caption_source, Image.facts, Image.sha256)
    statement = select(*columns, Thumbnail.key, Thumbnail.format)
    joined = statement.join(Thumbnail, Thumbnail.image_id == Image.id).where(Thumbnail.name == "square")
    storage = parts.storage
    with ThreadPoolExecutor(READERS, "export") as pool:
        for rows in walk(_choose(joined, captioned), PAGE):
            yield from map(Sample, rows, pool.map(lambda row: _read(storage, row.key), rows))


def _choose(statement: Select[Any], captioned: bool) -> Select[Any]:
    chosen = statement.where(Image.status == "success")
    return chosen.where(Image.caption.is_not(None)) if captioned else chosen


def _read(storage: Storage, key: str) -> bytes | None:
    try:
        with storage.open(key) as stream:
            return stream.read()
    except MissingObject:
        return None


def _prepare(out: Path) -> Path:
    """Make ``out`` ours and return an empty folder in it for the draft."""
    out.mkdir(parents=True, exist_ok=True)
    if not (out / MARK).exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} holds files that no export wrote; name an empty folder.")
    (out / MARK).touch()
    draft = out / ".draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    return draft


def _replace(out: Path, draft: Path) -> None:
    """Let the draft take the place of what an earlier export left, by renaming alone.

    The list goes first and comes last, so that a crash in between leaves none that names what is not
    there. A rename that fails leaves the earlier export. Raises: ``OSError``.
    """
    os.sync()  # no name may outlive its bytes
    old = draft / ".old"
    old.mkdir()
    gone = sorted((path for path in out.iterdir() if _EXPORTED.fullmatch(path.name)), key=_is_no_list)
    come = sorted((path for path in draft.iterdir() if path != old), key=_is_list)
    done: list[tuple[Path, Path]] = []
    try:
        for path, target in [(path, old) for path in gone] + [(path, out) for path in come]:
            if _is_list(path):
                _sync(out, draft)
            path.rename(target / path.name)
            done.append((path, target))
            if _is_list(path):
                _sync(out, draft)
    except BaseException:
        for path, target in reversed(done):
            (target / path.name).rename(path)
        raise


def _sync(*folders: Path) -> None:
    """Make the names in the folders durable."""
    for folder in folders:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _is_list(path: Path) -> bool:
    return path.name == LIST


def _is_no_list(path: Path) -> bool:
    return not _is_list(path)
