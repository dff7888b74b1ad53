"""An export is what training code expects, complete or not at all, and the same again."""

import io
import json
import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from imgpipe.datasets import exporting
from imgpipe.datasets.samples import Recipe
from tests.captions.provider import SENTENCE, Provider
from tests.factories import AppFactory, jpeg, transparent_png, upload


def export(app: Flask, out: Path, form: str, *options: str) -> Result:
    arguments = ["images", "export", str(out), "--format", form, *options]
    return app.test_cli_runner().invoke(args=arguments)


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metadata.jsonl").read_text().splitlines()]


def files(out: Path) -> dict[str, bytes]:
    found = (path for path in out.rglob("*") if path.is_file())
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "data" / "set"


def test_an_image_folder_names_a_square_a_line(app: Flask, client: FlaskClient, out: Path) -> None:
    ids = [upload(client, jpeg(), "a\u2028b.jpg"), upload(client, transparent_png(), "b.png")]
    result = export(app, out, "imagefolder")
    assert (result.exit_code, result.output.splitlines()[-1]) == (0, f"2 pictures in {out}")
    assert [line["image_id"] for line in lines(out)] == ids
    for line in lines(out):
        with Image.open(out / line["file_name"]) as picture:
            assert (picture.format, picture.size, picture.mode) == ("JPEG", (512, 512), "RGB")
    assert (lines(out)[0]["width"], lines(out)[0]["height"]) == (640, 480)


def test_the_caption_is_the_text(make_app: AppFactory, provider: Provider, out: Path) -> None:
    app = make_app(IMGPIPE_CAPTIONER="openai", OPENAI_API_KEY="sk-x", IMGPIPE_CAPTION_URL=provider.openai_url)
    upload(app.test_client())
    assert export(app, out, "imagefolder").exit_code == 0
    assert lines(out)[0]["text"] == SENTENCE


def test_a_web_dataset_has_two_files_a_sample_and_a_text_where_there_is_a_caption(
    app: Flask, client: FlaskClient, out: Path
) -> None:
    image_id = upload(client)
    assert export(app, out, "webdataset").exit_code == 0
    with tarfile.open(out / "shard-000000.tar") as shard:
        members = {name: shard.extractfile(name) for name in shard.getnames()}
        contents = {name: member.read() for name, member in members.items() if member}
    assert list(contents) == [f"{image_id}.jpg", f"{image_id}.json"]
    assert Image.open(io.BytesIO(contents[f"{image_id}.jpg"])).size == (512, 512)
    assert json.loads(contents[f"{image_id}.json"])["original_name"] == "photo.jpg"


def test_a_full_shard_is_followed_by_the_next(tmp_path: Path, app: Flask, client: FlaskClient) -> None:
    upload(client)
    writer = exporting._Shards(tmp_path, shard=2)
    with app.app_context():
        (sample,) = exporting.export(tmp_path / "set", "imagefolder", Recipe())
    for _ in range(5):
        writer.add(sample)
    writer.close()
    for number, members in enumerate((4, 4, 2)):
        with tarfile.open(tmp_path / f"shard-{number:06}.tar") as shard:
            assert len(shard.getnames()) == members


@pytest.mark.parametrize("form", exporting.FORMATS)
def test_a_second_export_of_the_same_is_the_same(
    app: Flask, client: FlaskClient, out: Path, form: str
) -> None:
    upload(client)
    export(app, out, form)
    first = files(out)
    assert export(app, out, form).exit_code == 0
    assert files(out) == first


def test_what_is_gone_is_gone_from_the_next_export(app: Flask, client: FlaskClient, out: Path) -> None:
    gone, kept = upload(client), upload(client, jpeg(300, 300))
    export(app, out, "webdataset")
    client.delete(f"/api/images/{gone}")
    assert export(app, out, "imagefolder").exit_code == 0
    assert set(files(out)) == {exporting.MARK, "metadata.jsonl", f"images/{kept}.jpg"}


def test_only_successful_pictures_are_exported(app: Flask, client: FlaskClient, out: Path) -> None:
    upload(client, jpeg(900, 900)[:9000])
    assert export(app, out, "imagefolder").exit_code == 0
    assert lines(out) == []


def test_the_originals_of_failed_pictures_can_be_looked_at(
    app: Flask, client: FlaskClient, out: Path
) -> None:
    upload(client)
    broken = jpeg(900, 900)[:9000]
    failed = upload(client, broken)
    assert export(app, out, "imagefolder", "--status", "failed", "--size", "original").exit_code == 0
    assert (out / "images" / f"{failed}.jpg").read_bytes() == broken
    assert [(line["image_id"], line["width"], line["box"]) for line in lines(out)] == [(failed, None, None)]
    refused = export(app, out, "imagefolder", "--status", "failed")
    assert (refused.exit_code, "goes with --size original" in refused.output) == (2, True)


def test_captioned_leaves_out_what_has_no_caption(app: Flask, client: FlaskClient, out: Path) -> None:
    upload(client)
    assert export(app, out, "imagefolder", "--captioned").exit_code == 0
    assert lines(out) == []


def test_an_export_that_is_cut_off_leaves_the_earlier_one(app: Flask, client: FlaskClient, out: Path) -> None:
    upload(client)
    export(app, out, "imagefolder")
    before = files(out)
    upload(client, jpeg(300, 300))
    with app.app_context():
        samples = exporting.export(out, "imagefolder", Recipe())
        next(samples)
        samples.close()
    assert files(out) == before


def test_a_folder_of_somebody_else_is_never_overwritten(app: Flask, client: FlaskClient, out: Path) -> None:
    (out / "images").mkdir(parents=True)
    (out / "images" / "mine.jpg").write_bytes(b"mine")
    result = export(app, out, "imagefolder")
    assert result.exit_code == 1
    assert "name an empty folder" in result.output
    assert files(out) == {"images/mine.jpg": b"mine"}


def test_a_missing_file_is_told_and_the_rest_exported(app: Flask, client: FlaskClient, out: Path) -> None:
    lost, kept = upload(client), upload(client, jpeg(300, 300))
    storage = Path(app.extensions["imgpipe"].settings.storage)
    os.unlink(next(storage.rglob(f"{lost}-square.jpg")))
    result = export(app, out, "imagefolder")
    assert result.exit_code == 1
    assert f"{lost}: its file is missing" in result.output
    assert [line["image_id"] for line in lines(out)] == [kept]


def test_a_name_that_is_taken_leaves_the_earlier_export(app: Flask, client: FlaskClient, out: Path) -> None:
    upload(client)
    export(app, out, "imagefolder")
    (out / "train").mkdir()
    (out / "train" / "mine.py").write_text("mine")
    before = files(out)
    result = export(app, out, "imagefolder", "--split", "train=1")
    assert (result.exit_code, "no export wrote it" in result.output) == (1, True)
    assert files(out) == before


@pytest.mark.parametrize("aside", [".old", ".aside"])
def test_an_export_that_was_killed_while_it_moved_leaves_the_earlier_one(
    app: Flask, client: FlaskClient, out: Path, aside: str
) -> None:
    upload(client)
    export(app, out, "imagefolder")
    before = files(out)
    old = out / ".draft" / aside
    old.mkdir(parents=True)
    (out / "metadata.jsonl").rename(old / "metadata.jsonl")
    if aside == ".aside":  # where the new one is moving in already
        (out / "images").rename(old / "images")
        (out / "images").mkdir()
        (out / "shard-000000.tar").write_bytes(b"of the one that was killed")
    with app.app_context():
        samples = exporting.export(out, "imagefolder", Recipe())
        next(samples)
        samples.close()
    assert files(out) == before


def test_a_split_of_an_earlier_export_is_replaced(app: Flask, client: FlaskClient, out: Path) -> None:
    upload(client)
    assert export(app, out, "imagefolder", "--split", "train=1").exit_code == 0
    assert (out / "train" / "metadata.jsonl").exists()
    assert export(app, out, "webdataset", "--split", "all=1").exit_code == 0
    assert set(files(out)) == {exporting.MARK, "all-000000.tar"}


def test_the_folder_holds_what_the_stream_does(app: Flask, client: FlaskClient, out: Path) -> None:
    client.patch(f"/api/images/{upload(client)}", json={"caption": "A dog."})
    upload(client, jpeg(300, 300))
    export(app, out, "sidecar")
    zipped = client.get("/api/exports?format=sidecar").data
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        streamed = {name: archive.read(name) for name in archive.namelist()}
    assert files(out) == {exporting.MARK: b"", **streamed}
    export(app, out, "webdataset")
    assert (out / "shard-000000.tar").read_bytes() == client.get("/api/exports?format=webdataset").data
    export(app, out, "jsonl")
    assert (out / "metadata.jsonl").read_bytes() == client.get("/api/exports?format=jsonl").data


def test_pictures_are_chosen_as_by_http(app: Flask, client: FlaskClient, out: Path) -> None:
    chosen, other = upload(client), upload(client, jpeg(300, 300))
    client.patch(f"/api/images/{chosen}", json={"caption": "A dog.", "labels": ["a"]})
    assert export(app, out, "jsonl", "--label", "a", "--q", "dog", "--captioned").exit_code == 0
    assert [line["image_id"] for line in lines(out)] == [chosen]
    assert export(app, out, "jsonl", "--after", chosen, "--limit", "5").exit_code == 0
    assert [line["image_id"] for line in lines(out)] == [other]
    assert "split: expected" in export(app, out, "jsonl", "--split", "a=2").output
