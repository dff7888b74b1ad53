"""Lay out a data set: which files each format makes of a sample, and what comes at the end."""

import json
from collections.abc import Callable, Iterator, Mapping
from tempfile import SpooledTemporaryFile
from typing import Protocol

from imgpipe.database.models import time_of
from imgpipe.datasets.archives import IN_MEMORY, File
from imgpipe.datasets.samples import Sample

METADATA = "metadata.jsonl"
_encode = json.JSONEncoder(check_circular=False).encode


class Layout(Protocol):
    """Turn samples into files, one by one."""

    def files(self, sample: Sample, data: bytes) -> Iterator[File]:
        """Yield the files of a sample."""

    def rest(self) -> Iterator[File]:
        """Yield what comes after the last sample."""

    def close(self) -> None:
        """Drop what was kept for the end."""


class ImageFolder:
    """``images/<id>.jpg``, and a line each in ``metadata.jsonl``: what Hugging Face calls an ImageFolder.

    A split has a folder for each part, with a list of its own.
    """

    def __init__(self) -> None:
        self._lists: dict[str, SpooledTemporaryFile[bytes]] = {}

    def files(self, sample: Sample, data: bytes) -> Iterator[File]:
        """Yield the picture, and note its line."""
        part, name = sample.part, f"images/{sample.name}"
        if part not in self._lists:
            self._lists[part] = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 (see close)
        self._lists[part].write(line({"file_name": name, **sample.describe()}))
        yield File(part + name, data, crc=sample.crc)

    def rest(self) -> Iterator[File]:
        """Yield the lists."""
        for part, lines in sorted(self._lists.items()):
            yield File(f"{part}{METADATA}", lines)
        if not self._lists:  # a loader takes an empty list better than none
            yield File(METADATA, b"")

    def close(self) -> None:
        """Drop the lists."""
        for lines in self._lists.values():
            lines.close()


class _Endless:
    def rest(self) -> Iterator[File]:
        """Yield nothing."""
        yield from ()

    def close(self) -> None:
        """Do nothing."""


class Sidecar(_Endless):
    """``<id>.jpg`` and, where there is a caption, ``<id>.txt``: what trainers of LoRAs read."""

    def files(self, sample: Sample, data: bytes) -> Iterator[File]:
        """Yield the picture and its text."""
        yield File(f"{sample.part}{sample.name}", data, crc=sample.crc)
        if sample.text:
            yield File(f"{sample.part}{sample.id}.txt", sample.text.encode())


class WebDataset(_Endless):
    """``<id>.jpg``, ``<id>.json`` and, where there is a caption, ``<id>.txt``, one behind the other."""

    def files(self, sample: Sample, data: bytes) -> Iterator[File]:
        """Yield the files of a sample."""
        facts = sample.describe()
        members = {sample.suffix: data, "json": _encode(facts).encode()}
        if facts["text"]:
            members["txt"] = facts["text"].encode()
        stem, mtime = f"{sample.part}{sample.id}", int(time_of(sample.row.id).timestamp())
        for suffix, content in members.items():
            yield File(f"{stem}.{suffix}", content, mtime)


FORMATS: Mapping[str, Callable[[], Layout]] = {
    "imagefolder": ImageFolder,
    "sidecar": Sidecar,
    "webdataset": WebDataset,
}


def line(facts: Mapping[str, object]) -> bytes:
    """Write one line of JSON, in ASCII: no character in it can pass for the end of a line."""
    return _encode(facts).encode() + b"\n"


def jsonl(sample: Sample) -> bytes:
    """Write what is known of a sample as one line, with the name of its part in a split."""
    side = {"split": sample.side} if sample.side else {}
    return line({**sample.describe(), **side})
