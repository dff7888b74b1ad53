"""796 pictures that nobody here made come out in exactly the sizes known, and 15 broken ones are refused."""

import json
from contextlib import suppress
from io import BytesIO

import pytest
from PIL import Image

from imgpipe.errors import ImgpipeError
from imgpipe.imaging.pipeline import run
from imgpipe.imaging.probe import probe
from imgpipe.imaging.work import Work
from tests.corpus import CORPUS, MARKS, Entry, entries

pytestmark = MARKS


def _render(entry: Entry) -> Work:
    data = (CORPUS / entry["file"]).read_bytes()
    probe(data, max_pixels=64_000_000)
    return run(data)


def _faults(entry: Entry) -> list[str]:
    """Say in what a picture that must succeed differs from the manifest and the contract."""
    work = _render(entry)
    facts = work.metadata
    made = {item.name: item for item in work.derivatives}
    square = Image.open(BytesIO(made["square"].data))
    checks = {
        "small": [made["small"].width, made["small"].height] == entry["small"],
        "medium": [made["medium"].width, made["medium"].height] == entry["medium"],
        "upright": [facts["width"], facts["height"]] == entry["oriented_size"],
        "format": facts["format"] == entry["format"],
        "bytes": facts["size_bytes"] == entry["bytes"],
        "square": (square.size, square.mode) == ((512, 512), "RGB"),
        "clean": not any(set(Image.open(BytesIO(item.data)).info) & DIRT for item in work.derivatives),
        "text": _is_storable(json.dumps(facts, allow_nan=False, ensure_ascii=False)),
    }
    return [name for name, good in checks.items() if not good]


DIRT = {"exif", "icc_profile", "comment", "xmp", "photoshop", "transparency"}


def _is_storable(text: str) -> bool:
    return "\\u0000" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def test_every_good_picture_has_exactly_the_known_sizes_and_plain_metadata() -> None:
    listed = entries("must_succeed")
    faults = {entry["file"]: found for entry in listed if (found := _faults(entry))}
    assert (len(listed), faults) == (796, {})


def test_every_broken_picture_is_refused_with_one_of_our_errors() -> None:
    listed = entries("must_fail")
    for entry in listed:
        with pytest.raises(ImgpipeError):
            _render(entry)
    assert len(listed) == 15


def test_a_picture_that_decoders_disagree_on_ends_cleanly() -> None:
    for entry in entries("either"):
        with suppress(ImgpipeError):
            assert len(_render(entry).derivatives) == 3
