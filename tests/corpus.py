"""The corpus of real and odd pictures, and what must become of each; its tests are skipped without it."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(os.environ.get("CORPUS_DIR", Path(__file__).parents[2] / "shared" / "corpus"))
Entry = dict[str, Any]
MARKS = [
    pytest.mark.skipif(
        not CORPUS.is_dir(), reason=f"no corpus of pictures: set CORPUS_DIR ({CORPUS.name} absent)"
    ),
    # Pillow tells of odd metadata and animations by warning, and goes on.
    pytest.mark.filterwarnings("ignore::UserWarning:PIL"),
]


@cache
def entries(expect: str) -> list[Entry]:
    """List the pictures of which this is expected: ``must_succeed``, ``must_fail`` or ``either``."""
    lines = (CORPUS / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry for entry in map(json.loads, lines) if entry["expect"] == expect]
