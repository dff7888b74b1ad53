"""Read what a folder says of its pictures: sidecar texts, and lists that an export or a data set brings.

A folder may come from anywhere: nothing that its lists name, or its links point to, is read outside of it.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from imgpipe.errors import InvalidParameter
from imgpipe.pictures import labels
from imgpipe.pictures.authorship import HUMAN
from imgpipe.pictures.editing import tidy_caption
from imgpipe.pictures.intake import Said
from imgpipe.text import clean_text

LIST = "metadata.jsonl"
TEXT_BYTES = 64 * 1024
LINE_BYTES = 2**20
NAME_LENGTH = 100
PROMPT_LENGTH = 5000


class Unfit(Exception):
    """What is said of a picture cannot be taken, for the reason told; the picture can."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for a picture: what to take over, and its own name where a list tells one."""

    said: Said = field(default_factory=Said)
    original_name: str | None = None


class Annotations:
    """What the folder ``root`` says; safe between threads. Each picture is asked for once."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._lists: dict[Path, _List] = {}
        self._lock = threading.Lock()

    def of(self, path: Path) -> Found:
        """Return what is said of a picture below the root: by the nearest list, else by a text beside it.

        Raises: ``Unfit``.
        """
        for folder in path.parents:
            line = self._list(folder).take(path.relative_to(folder).as_posix())
            if line is not None:
                return self._listed(path, line)
            if folder.resolve() == self._root:
                break
        return self._beside(path)

    def unused(self) -> Iterator[tuple[Path, int]]:
        """Yield the lists with lines that no picture was found for, and how many."""
        for found in self._lists.values():
            if found.offsets:
                yield found.path, len(found.offsets)

    def _list(self, folder: Path) -> "_List":
        with self._lock:
            if folder not in self._lists:
                path = folder / LIST
                known = path.is_file() and self._holds(path)
                self._lists[folder] = _List(path, _index(path) if known else {})
            return self._lists[folder]

    def _holds(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self._root)

    def _listed(self, path: Path, line: Mapping[str, Any]) -> Found:
        if not self._holds(path):
            raise Unfit(f"a link out of the folder; what {LIST} says of it is not taken")
        said = _said(line)
        if said.caption is None:
            said = replace(said, caption=self._beside(path).said.caption)
        if said.caption is not None and said.caption_source is None:
            said = replace(said, caption_source=HUMAN)
        name = line.get("original_name")
        return Found(said, name if isinstance(name, str) else None)

    def _beside(self, path: Path) -> Found:
        """Read the text of the same name; an id that an export gave the file is kept."""
        text = path.with_suffix(".txt")
        own = Said(image_id=_id(path.stem))
        if text == path or not text.is_file():
            return Found(own)
        if not self._holds(text):
            raise Unfit("its .txt is a link out of the folder, and is not taken")
        with text.open("rb") as file:
            raw = file.read(TEXT_BYTES + 1)
        if len(raw) > TEXT_BYTES:
            raise Unfit("its .txt is longer than 64 kB, and is not taken")
        try:
            caption = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise Unfit("its .txt is not UTF-8, and is not taken") from error
        return Found(replace(own, caption=_caption(caption), caption_source=HUMAN))


@dataclass(frozen=True, slots=True)
class _List:
    """A list of pictures: where the line of each begins. Lines are read when they are asked for."""

    path: Path
    offsets: dict[str, int]

    def take(self, name: str) -> Mapping[str, Any] | None:
        """Return the line of a picture, and forget it."""
        offset = self.offsets.pop(name, None)
        if offset is None:
            return None
        with self.path.open("rb") as file:
            file.seek(offset)
            return _parse(file.readline(LINE_BYTES)) or {}


def _index(path: Path) -> dict[str, int]:
    """Note where the line of each picture begins; what is no line of a list is passed over."""
    offsets: dict[str, int] = {}
    with path.open("rb") as file:
        place = 0
        while raw := file.readline(LINE_BYTES):
            name = (_parse(raw) or {}).get("file_name")
            if isinstance(name, str):
                offsets.setdefault(name, place)
            place += len(raw)
    return offsets


def _parse(raw: bytes) -> Mapping[str, Any] | None:
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) else None


def _said(line: Mapping[str, Any]) -> Said:
    names = line.get("labels") or []
    if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise Unfit(f"its labels in {LIST} are no list of texts, and are not taken")
    text = line.get("text")
    try:
        tidied = labels.tidy(names)
    except InvalidParameter as error:
        raise Unfit(f"what {LIST} says of it is not taken: {error.message}") from error
    caption = _caption(text) if isinstance(text, str) else None
    image_id = line.get("image_id")
    known = _id(image_id) if isinstance(image_id, str) else None
    return Said(tidied, caption, _source(line.get("caption_source")), known)


def _caption(text: str) -> str | None:
    if not text.strip():
        return None
    try:
        return tidy_caption(text)
    except InvalidParameter as error:
        raise Unfit(f"its text is not taken: {error.message}") from error


def _source(told: object) -> Mapping[str, Any] | None:
    """Return who wrote a caption, if a list says so in our own way; else a person is taken for it."""
    if not isinstance(told, dict) or not isinstance(told.get("provider"), str):
        return None
    source: dict[str, Any] = {"provider": clean_text(told["provider"], NAME_LENGTH), "model": None}
    if isinstance(told.get("model"), str):
        source["model"] = clean_text(told["model"], NAME_LENGTH)
    if isinstance(told.get("prompt"), str):
        source["prompt"] = clean_text(told["prompt"], PROMPT_LENGTH)
    return source


def _id(text: str) -> UUID | None:
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None
