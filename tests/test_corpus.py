"""Real pictures through the door: the good in known sizes, the broken with a reason, on both databases."""

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from PIL import Image
from werkzeug.test import TestResponse

from imgpipe import create_app, installation
from imgpipe.config import load
from imgpipe.database.engine import db
from tests.corpus import CORPUS, MARKS, Entry, entries
from tests.factories import post
from tests.postgres import Postgres

pytestmark = [*MARKS, pytest.mark.system]
EXPECTED = {"must_succeed": 796, "must_fail": 15, "either": 10}
OWN = ("image_id", "uploaded_at", "processed_at", "processing_time_ms")  # no two pictures share these


class Visitor:
    """A client of one app, which has the corpus uploaded and remembers what it was told of each file."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.told: dict[str, tuple[int, dict[str, Any]]] = {}

    def upload(self, listed: list[Entry]) -> None:
        """Upload files, two at a time; once all are processed, ask for each that was taken in."""
        with ThreadPoolExecutor(2) as clients:
            answers = list(clients.map(self._send, listed))
        for entry, (status, body) in zip(listed, answers, strict=True):
            taken = status == 202
            image = strict(self.get(f"/api/images/{body['data']['image_id']}"))["data"] if taken else body
            self.told[entry["file"]] = status, image

    def _send(self, entry: Entry) -> tuple[int, dict[str, Any]]:
        path = CORPUS / entry["file"]
        response = post(self.app.test_client(), path.read_bytes(), path.name)
        return response.status_code, strict(response)

    def get(self, url: str) -> TestResponse:
        """Ask the app."""
        return self.app.test_client().get(url, buffered=True)

    def size_of(self, url: str) -> list[int]:
        """Return width and height of a picture that is served."""
        response = self.get(url)
        assert response.status_code == 200
        return list(Image.open(BytesIO(response.data)).size)


def strict(response: TestResponse) -> dict[str, Any]:
    """Parse an answer as the strictest reader would."""
    text = response.get_data().decode("utf-8", "strict")
    assert response.status_code < 500, text
    assert "\\u0000" not in text
    body: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    assert json.dumps(body, ensure_ascii=False).encode()  # a lone surrogate could not be encoded
    return body


@contextmanager
def visiting(folder: Path, url: str) -> Iterator[Visitor]:
    """Have an app with inline jobs for the length of a block."""
    options = {"IMGPIPE_DATA_DIR": str(folder), "IMGPIPE_JOBS": "inline", "DATABASE_URL": url}
    app = create_app(load(options))
    with app.app_context():
        installation.establish()
    try:
        yield Visitor(app)
    finally:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture(scope="module")
def visitor(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """Return who has uploaded the whole corpus to a service on SQLite."""
    folder = tmp_path_factory.mktemp("corpus")
    shutil.copy(migrated, folder / "imgpipe.db")
    with visiting(folder, f"sqlite:///{folder / 'imgpipe.db'}") as somebody:
        somebody.upload([entry for kind in EXPECTED for entry in entries(kind)])
        yield somebody


def faults(visitor: Visitor, entry: Entry) -> list[str]:
    """Say in what a picture that must succeed differs from the manifest."""
    status, image = visitor.told[entry["file"]]
    if status != 202 or image["status"] != "success":
        return [f"{status}: {image}"]
    sizes = {name: visitor.size_of(url) for name, url in image["thumbnails"].items()}
    metadata = image["metadata"]
    checks = {
        "small": sizes["small"] == entry["small"],
        "medium": sizes["medium"] == entry["medium"],
        "square": sizes["square"] == [512, 512],
        "upright": [metadata["width"], metadata["height"]] == entry["oriented_size"],
        "format": metadata["format"] == entry["format"],
        "bytes": metadata["size_bytes"] == entry["bytes"],
        "sha256": image["sha256"] == entry["sha256"],
    }
    return [name for name, good in checks.items() if not good]


def test_the_corpus_is_whole() -> None:
    assert {kind: len(entries(kind)) for kind in EXPECTED} == EXPECTED


def test_every_good_picture_comes_out_in_exactly_the_known_sizes(visitor: Visitor) -> None:
    good = entries("must_succeed")
    assert {entry["file"]: wrong for entry in good if (wrong := faults(visitor, entry))} == {}


def test_every_picture_is_counted_and_listed_once(visitor: Visitor) -> None:
    accepted = [image for status, image in visitor.told.values() if status == 202]
    succeeded = sum(image["status"] == "success" for image in accepted)
    totals = strict(visitor.get("/api/stats"))["data"]
    assert (totals["total"], totals["success"]) == (len(accepted), succeeded)
    walked, url = [], "/api/images?limit=100"
    while url:
        listed = strict(visitor.get(url))
        walked += [image["image_id"] for image in listed["data"]]
        url = listed["next"]
    assert sorted(walked) == sorted(image["image_id"] for image in accepted)


def test_every_broken_picture_is_refused_or_fails_with_a_reason(visitor: Visitor) -> None:
    for entry in entries("must_fail"):
        status, body = visitor.told[entry["file"]]
        assert body["error"], entry["file"]
        assert status in (400, 413) or (status, body["status"]) == (202, "failed"), entry["file"]


def test_a_picture_that_decoders_disagree_on_ends_cleanly(visitor: Visitor) -> None:
    for entry in entries("either"):
        status, body = visitor.told[entry["file"]]
        assert status in (202, 400, 413), entry["file"]
        assert status != 202 or body["status"] in ("success", "failed"), entry["file"]


@pytest.mark.parametrize("nth", [5, pytest.param(1, marks=pytest.mark.soak)])
def test_postgresql_gives_the_same_answers(
    visitor: Visitor, tmp_path: Path, postgres: Postgres, template: str, nth: int
) -> None:
    """Compare every nth of the good pictures, and all the odd ones."""
    chosen = entries("must_succeed")[::nth] + entries("must_fail") + entries("either")
    name = f"corpus_{uuid4().hex}"
    with visiting(tmp_path, postgres.create(name, template)) as other:
        other.upload(chosen)
    postgres.drop(name)
    same = {file for file, answer in other.told.items() if shared(answer) == shared(visitor.told[file])}
    assert other.told.keys() - same == set()


def shared(answer: tuple[int, dict[str, Any]]) -> Any:
    """Return what is told of a picture without what is the upload's own, or the code of its refusal."""
    status, body = answer
    if status != 202:
        return status, body["code"]
    text = json.dumps(body).replace(body["image_id"], "ID")
    return {name: value for name, value in json.loads(text).items() if name not in OWN}
