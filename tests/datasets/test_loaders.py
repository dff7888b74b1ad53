"""The libraries that people train with load what is exported, offline; each in a process of its own."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.datasets.test_exporting import export
from tests.factories import jpeg, upload
from tests.postgres import on_sqlite

pytestmark = [
    on_sqlite,
    pytest.mark.skipif(
        not (find_spec("datasets") and find_spec("webdataset")),
        reason="datasets and webdataset are not installed: requirements-datasets.txt",
    ),
]
IMAGE_FOLDER = """
import datasets, json, sys
print(json.dumps([{
    name: [[row["text"], row["labels"], row["box"], row["image"].size] for row in rows]
    for name, rows in datasets.load_dataset("imagefolder", data_dir=folder).items()
} for folder in sys.argv[1:]]))
"""
WEB_DATASET = """
import json, sys, webdataset
rows = webdataset.WebDataset(sys.argv[1], shardshuffle=False).decode("pil").to_tuple("jpg", "txt", "json")
print(json.dumps([[text, facts["labels"], facts["box"], image.size] for image, text, facts in rows]))
"""


@pytest.fixture
def captioned(client: FlaskClient) -> list[Any]:
    """Return what is to be loaded of three pictures: text, labels, box, size."""
    expected = []
    for number, text in enumerate(["A dog.", "Zwei K\u00e4fer,\nauf Gras.", 'Three "cats".']):
        image_id = upload(client, jpeg(200 + number, 100))
        client.patch(f"/api/images/{image_id}", json={"caption": text, "labels": [f"l{number}"]})
        left, top = (512 - 200 - number) // 2, (512 - 100) // 2
        box = [left, top, left + 200 + number, top + 100]
        expected.append([text, [f"l{number}"], box, [512, 512]])
    return expected


def load(program: str, home: Path, *places: Path) -> Any:
    environ = {
        "PATH": os.environ["PATH"],
        "HF_HOME": str(home),
        "HF_DATASETS_OFFLINE": "1",
        "HOME": str(home),
    }
    command = [sys.executable, "-W", "ignore", "-c", program, *map(str, places)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_an_image_folder_and_a_split_are_loaded_by_datasets(
    app: Flask, captioned: list[Any], tmp_path: Path
) -> None:
    export(app, tmp_path / "whole", "imagefolder")
    export(app, tmp_path / "parted", "imagefolder", "--split", "train=0.5,test=0.5")
    whole, parted = load(IMAGE_FOLDER, tmp_path, tmp_path / "whole", tmp_path / "parted")
    assert whole == {"train": captioned}
    assert sorted(row for rows in parted.values() for row in rows) == sorted(captioned)
    assert set(parted) <= {"train", "test"}


def test_a_shard_is_loaded_by_webdataset(app: Flask, captioned: list[Any], tmp_path: Path) -> None:
    export(app, tmp_path / "out", "webdataset")
    assert load(WEB_DATASET, tmp_path, tmp_path / "out" / "shard-000000.tar") == captioned


def test_a_sidecar_folder_is_read_as_trainers_of_loras_do(
    app: Flask, captioned: list[Any], tmp_path: Path
) -> None:
    export(app, tmp_path / "out", "sidecar")
    pictures = sorted((tmp_path / "out").glob("*.jpg"))
    assert [picture.with_suffix(".txt").read_text() for picture in pictures] == [row[0] for row in captioned]
