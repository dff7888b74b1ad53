"""Find the pictures below folders, and count what is passed over, so that nobody misses it unawares."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from imgpipe.errors import UnsupportedType
from imgpipe.extensions import parts
from imgpipe.imaging.formats import HEAD_BYTES, format_of, suffixes

# Pictures that people keep, whose format is not among those that this installation takes.
_OTHERS = {
    "AVIF": (".avif",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "HEIC": (".heic", ".heif"),
    "JPEG 2000": (".jp2", ".j2k"),
    "JXL": (".jxl",),
    "PSD": (".psd",),
    "TIFF": (".tif", ".tiff"),
    "WebP": (".webp",),
    "raw": (".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2"),
}
_KIND = {suffix: kind for kind, endings in _OTHERS.items() for suffix in endings}


@dataclass(slots=True)
class Passed:
    """What was passed over: pictures of other formats by their kind, and links to folders."""

    kinds: Counter[str] = field(default_factory=Counter)
    links: list[Path] = field(default_factory=list)

    def __str__(self) -> str:
        each = ", ".join(f"{count:,} {kind}" for kind, count in self.kinds.most_common())
        return f"{self.kinds.total():,} not taken: {each}" if each else ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that looks like a picture, and the place, as it was named, below which it was found."""

    path: Path
    place: Path


def find(places: Iterable[Path], passed: Passed | None = None) -> Iterator[Candidate]:
    """Yield the pictures in files and folders, by name or by content; hidden ones are passed over.

    A folder that can't be read is yielded itself: taking it in tells why. The storage's own folder below
    a place is left out, and so are links to folders, which might lead round in a circle.
    """
    search = _Search(
        Path(parts.settings.storage).resolve(), suffixes(parts.settings.accept), passed or Passed()
    )
    for place in places:
        if place.is_dir():
            yield from (Candidate(path, place) for path in search.below(place))
        else:
            yield Candidate(place, place.parent)


@dataclass(frozen=True, slots=True)
class _Search:
    own: Path
    endings: Collection[str]
    passed: Passed

    def below(self, folder: Path) -> Iterator[Path]:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            yield folder
            return
        for entry in entries:
            if not entry.name.startswith("."):
                yield from self._in(entry, folder / entry.name)

    def _in(self, entry: "os.DirEntry[str]", path: Path) -> Iterator[Path]:
        if entry.is_dir(follow_symlinks=False):
            yield from self.below(path) if path.resolve() != self.own else ()
        elif entry.is_dir():
            self.passed.links.append(path)
        elif entry.is_file():
            if path.suffix.lower() in self.endings or _begins_like_one(path):
                yield path
            elif kind := _KIND.get(path.suffix.lower()):
                self.passed.kinds[kind] += 1


def _begins_like_one(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            format_of(file.read(HEAD_BYTES), parts.settings.accept)
    except (OSError, UnsupportedType):
        return False
    return True
