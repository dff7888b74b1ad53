"""An export is what training code expects, complete or not at all, and the same again."""

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from imgpipe.datasets import exporting
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


def test_a_web_dataset_has_three_files_a_sample(app: Flask, client: FlaskClient, out: Path) -> None:
    image_id = upload(client)
    assert export(app, out, "webdataset").exit_code == 0
    with tarfile.open(out / "shard-000000.tar") as shard:
        members = {name: shard.extractfile(name) for name in shard.getnames()}
        contents = {name: member.read() for name, member in members.items() if member}
    assert list(contents) == [f"{image_id}.jpg", f"{image_id}.txt", f"{image_id}.json"]
    assert Image.open(io.BytesIO(contents[f"{image_id}.jpg"])).size == (512, 512)
    assert json.loads(contents[f"{image_id}.json"])["original_name"] == "photo.jpg"


def test_a_full_shard_is_followed_by_the_next(tmp_path: Path, app: Flask, client: FlaskClient) -> None:
    upload(client)
    writer = exporting.WebDataset(tmp_path, shard=2)
    with app.app_context():
        (sample,) = exporting.export(tmp_path / "set", "imagefolder")
    for _ in range(5):
        writer.add(sample, b"jpeg")
    writer.close()
    for number, members in enumerate((6, 6, 3)):
        with tarfile.open(tmp_path / f"shard-{number:06}.tar") as shard:
            assert len(shard.getnames()) == members


@pytest.mark.parametrize("form", ["imagefolder", "webdataset"])
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
        samples = exporting.export(out, "imagefolder")
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
