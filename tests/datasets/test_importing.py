"""Folders come in with what they say of their pictures, and nothing from outside of them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient

from tests.api.test_editing import HUMAN, earlier
from tests.api.test_listing import page
from tests.datasets.test_exporting import export, files
from tests.factories import AppFactory, jpeg, png, shown, upload


def take_in(app: Flask, *places: Path) -> Result:
    return app.test_cli_runner().invoke(args=["images", "import", *map(str, places)])


def images(client: FlaskClient) -> dict[str, dict[str, Any]]:
    return {image["original_name"]: image for image in page(client, "/api/images")["data"]}


def write_list(folder: Path, *lines: dict[str, Any] | str) -> None:
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / "metadata.jsonl").write_text("\n".join(texts) + "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two pictures."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(jpeg(300, 200))
    (folder / "deep" / "b.png").write_bytes(png())
    return folder


def test_a_text_beside_a_picture_is_a_persons_caption(app: Flask, client: FlaskClient, folder: Path) -> None:
    (folder / "a.txt").write_bytes("\ufeffA dog, schön.\n".encode())
    assert take_in(app, folder).exit_code == 0
    told = images(client)
    assert (told["a.jpg"]["caption"], told["a.jpg"]["caption_source"]) == ("A dog, schön.", HUMAN)
    assert told["a.jpg"]["caption_status"] == "done"
    assert told["b.png"]["caption"] is None
    assert page(client, "/api/images", q="schon")["data"][0]["original_name"] == "a.jpg"


def test_a_list_tells_texts_labels_names_and_sources(app: Flask, client: FlaskClient, folder: Path) -> None:
    source = {"provider": "openai", "model": "m", "prompt": "p"}
    write_list(
        folder,
        {"file_name": "a.jpg", "text": "A dog.", "labels": ["dog", "sea"], "caption_source": source},
        "no JSON",
        {"file_name": "deep/b.png", "text": "A cat.", "original_name": "cat.png"},
        {"file_name": "../secret.jpg", "text": "x"},
    )
    result = take_in(app, folder)
    assert result.exit_code == 0
    assert "1 lines name no picture" in result.output
    told = images(client)
    assert (told["a.jpg"]["labels"], told["a.jpg"]["caption_source"]) == (["dog", "sea"], source)
    assert (told["cat.png"]["caption"], told["cat.png"]["caption_source"]) == ("A cat.", HUMAN)


def test_the_nearest_list_counts(app: Flask, client: FlaskClient, folder: Path) -> None:
    write_list(folder, {"file_name": "deep/b.png", "text": "far"}, {"file_name": "a.jpg", "text": "A dog."})
    write_list(folder / "deep", {"file_name": "b.png", "text": "near"})
    take_in(app, folder)
    assert {name: image["caption"] for name, image in images(client).items()} == {
        "a.jpg": "A dog.",
        "b.png": "near",
    }


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"x" * 65_537, "longer than 64 kB"),
        ("a.txt", b"x" * 1_001, "1 to 1000 characters"),
        ("a.txt", b"\xff\xfe\x00", "not UTF-8"),
        ("metadata.jsonl", b'{"file_name": "a.jpg", "labels": "dog"}', "no list of texts"),
        ("metadata.jsonl", b'{"file_name": "a.jpg", "labels": ["a,b"]}', "without a comma"),
    ],
)
def test_what_cannot_be_taken_is_told_and_the_picture_comes_in(
    app: Flask, client: FlaskClient, folder: Path, name: str, content: bytes, reason: str
) -> None:
    (folder / name).write_bytes(content)
    result = take_in(app, folder / "a.jpg")
    assert (result.exit_code, reason in result.output) == (0, True)
    assert images(client)["a.jpg"]["caption"] is None


def test_links_out_of_the_folder_say_nothing(
    app: Flask, client: FlaskClient, folder: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("a password")
    (folder / "a.txt").symlink_to(secret)
    (tmp_path / "out.jpg").write_bytes(jpeg(77, 77))
    (folder / "c.jpg").symlink_to(tmp_path / "out.jpg")
    write_list(folder, {"file_name": "c.jpg", "text": "stolen"})
    write_list(tmp_path, {"file_name": "b.png", "text": "from elsewhere"})
    (folder / "deep" / "metadata.jsonl").symlink_to(tmp_path / "metadata.jsonl")
    result = take_in(app, folder)
    assert result.output.count("link out of the folder") == 2
    assert {image["caption"] for image in images(client).values()} == {None}


def test_a_picture_that_is_in_gets_only_what_it_lacks(app: Flask, client: FlaskClient, folder: Path) -> None:
    written, empty = upload(client, jpeg(300, 200)), upload(client, png())
    client.patch(f"/api/images/{written}", json={"caption": "Mine.", "labels": ["mine"]})
    write_list(
        folder,
        {"file_name": "a.jpg", "text": "Theirs.", "labels": ["theirs"]},
        {"file_name": "deep/b.png", "text": "Theirs.", "labels": ["theirs"]},
    )
    for _ in range(2):
        assert "0 new, 2 already in" in take_in(app, folder).output
    assert [shown(client, written)[key] for key in ("caption", "labels")] == ["Mine.", ["mine"]]
    assert [shown(client, empty)[key] for key in ("caption", "labels")] == ["Theirs.", ["theirs"]]
    assert earlier(client, empty) == []


@pytest.mark.parametrize("form", ["imagefolder", "sidecar"])
def test_export_import_export_gives_the_same_bytes(
    make_app: AppFactory, tmp_path: Path, migrated: Path, form: str
) -> None:
    app = make_app()
    client = app.test_client()
    for number in range(5):
        upload(client, jpeg(200 + number, 150), f"käfer {number}.jpg")
    pictures = [image["image_id"] for image in page(client, "/api/images")["data"]]
    client.patch(f"/api/images/{pictures[0]}", json={"caption": "Ein Käfer.", "labels": ["b", "a"]})
    client.patch(f"/api/images/{pictures[1]}", json={"caption": "Two\nlines."})
    first, second = tmp_path / "first", tmp_path / "second"
    assert export(app, first, form, "--size", "original").exit_code == 0
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "imgpipe.db").write_bytes(migrated.read_bytes())
    url = f"sqlite:///{tmp_path / 'new' / 'imgpipe.db'}"
    other = make_app(IMGPIPE_DATA_DIR=str(tmp_path / "new"), DATABASE_URL=url)
    assert take_in(other, first).exit_code == 0
    assert export(other, second, form, "--size", "original").exit_code == 0
    assert files(second) == files(first)
    assert len(files(first)) > 5


def test_an_id_of_the_future_or_of_another_picture_is_not_kept(
    app: Flask, client: FlaskClient, folder: Path
) -> None:
    taken = upload(client)
    write_list(
        folder,
        {"file_name": "a.jpg", "image_id": taken},
        {"file_name": "deep/b.png", "image_id": "ffffffff-0000-7000-8000-000000000000"},
    )
    assert take_in(app, folder).exit_code == 0
    assert sorted(images(client)) == ["a.jpg", "b.png", "photo.jpg"]
    assert images(client)["photo.jpg"]["image_id"] == taken
    assert images(client)["b.png"]["image_id"] < "f"


def test_what_is_not_taken_is_counted_by_kind(app: Flask, folder: Path) -> None:
    for name in ("1.heic", "2.HEIF", "3.webp", "4.jxl", "notes.txt"):
        (folder / name).write_bytes(b"whatever")
    (folder / "elsewhere").symlink_to(folder / "deep", target_is_directory=True)
    result = take_in(app, folder)
    assert result.exit_code == 0
    assert "4 not taken: 2 HEIC, 1 WebP, 1 JXL" in result.output
    assert "elsewhere: a link to a folder, which is not followed" in result.output


def test_nothing_found_is_a_failure(app: Flask, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "a.heic").write_bytes(b"whatever")
    result = take_in(app, empty)
    assert result.exit_code == 1
    assert "1 not taken: 1 HEIC" in result.output
    assert "No picture was found." in result.output


def test_a_caption_that_came_along_is_not_paid_for(make_app: AppFactory, folder: Path) -> None:
    (folder / "a.txt").write_text("A dog.")
    os.remove(folder / "deep" / "b.png")
    unreachable = {"OPENAI_API_KEY": "k", "IMGPIPE_CAPTION_URL": "http://127.0.0.1:9/v1"}
    app = make_app(IMGPIPE_CAPTIONER="openai", **unreachable)
    take_in(app, folder)
    image = images(app.test_client())["a.jpg"]
    assert (image["status"], image["caption"], image["caption_error"]) == ("success", "A dog.", None)
