"""Stream a whole data set to somebody who may read slowly: nothing is held meanwhile but a few pictures."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

from imgpipe.datasets import archives, layouts, samples
from imgpipe.datasets.archives import File
from imgpipe.datasets.samples import Recipe

PIECE_BYTES = 512 << 10


@dataclass(frozen=True, slots=True)
class Kind:
    """How a format travels: media type, and the ending of its file."""

    mime: str
    suffix: str
    pack: Callable[[Iterator[File]], Iterator[bytes]]


_ZIP = Kind("application/zip", "zip", archives.zipped)
KINDS: Mapping[str, Kind] = {
    "imagefolder": _ZIP,
    "webdataset": Kind("application/x-tar", "tar", archives.tar),
    "sidecar": _ZIP,
    "jsonl": Kind("application/x-ndjson", "jsonl", lambda files: iter(())),
}


def stream(form: str, recipe: Recipe) -> Generator[bytes, None, None]:
    """Yield a data set in one of ``KINDS``; the same pictures give the same bytes again.

    A picture whose file is missing is left out, and logged. Raises: as ``samples.read`` does.
    """
    if form == "jsonl":
        yield from _gathered(map(layouts.jsonl, samples.read(recipe, with_data=False)))
    else:
        yield from _gathered(KINDS[form].pack(_files(form, recipe)))


def _gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join small pieces, since each that is sent by itself costs as much as many bytes do."""
    gathered, length = list[bytes](), 0
    for piece in pieces:
        gathered.append(piece)
        length += len(piece)
        if length >= PIECE_BYTES:
            yield b"".join(gathered)
            gathered, length = [], 0
    if gathered:
        yield b"".join(gathered)


def _files(form: str, recipe: Recipe) -> Iterator[File]:
    with closing(layouts.FORMATS[form]()) as layout:
        for sample in samples.read(recipe, with_crc=KINDS[form] is _ZIP):
            if sample.data is not None:
                yield from layout.files(sample, sample.data)
        yield from layout.rest()
