"""An installation that has outgrown SQLite moves to another database with everything it has."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient

from imgpipe.database.schema import downgrade
from tests.factories import AppFactory, jpeg, jpeg_with_exif, post_form, transparent_png, upload

LOG = b"depth,1,2\n1.5,0,255\n2.5,7,8\n"
PATHS = ("/api/images", "/api/images?q=beach", "/api/stats", "/api/frames?depth_min=1&depth_max=3")


@pytest.fixture
def old(tmp_path: Path, migrated: Path, make_app: AppFactory) -> Flask:
    """Return the installation to move from: SQLite, with some of everything."""
    folder = tmp_path / "old"
    folder.mkdir()
    shutil.copy(migrated, folder / "imgpipe.db")
    app = make_app(IMGPIPE_DATA_DIR=str(folder), DATABASE_URL=f"sqlite:///{folder / 'imgpipe.db'}")
    client = app.test_client()
    for data in (jpeg(), jpeg_with_exif(6), transparent_png(), jpeg(900, 900)[:9000]):
        upload(client, data, "at the beach.jpg")
    client.post(f"/api/images/{ids(client)[0]}/comments", json={"text": "Schön \N{SNOWMAN}"})
    assert post_form(client, "/api/frames", {"file": ("log.csv", LOG)}, log="north").status_code == 201
    assert post_form(client, "/api/frames", {"file": ("log.csv", LOG)}).status_code == 201
    return app


def ids(client: FlaskClient) -> list[str]:
    return [item["image_id"] for item in client.get("/api/images").json["data"]]  # type: ignore[index]


def copy(app: Flask, old: Flask, *options: str) -> Result:
    """Run the command in the installation to move to."""
    url = old.config["SQLALCHEMY_DATABASE_URI"]
    return app.test_cli_runner().invoke(args=["copy", "--from", url, *options])


def told(client: FlaskClient) -> dict[str, Any]:
    """Return all that a client can learn."""
    paths = list(PATHS)
    for image_id in ids(client):
        image = f"/api/images/{image_id}"
        paths += [image, f"{image}/comments", f"{image}/original", f"{image}/thumbnails/square"]
    answers = {path: client.get(path) for path in paths}
    return {path: answer.json or answer.data for path, answer in answers.items()}


@pytest.fixture
def media(old: Flask) -> str:
    return str(old.extensions["imgpipe"].settings.storage)


def without_request_ids(answers: dict[str, Any]) -> dict[str, Any]:
    """Drop what is new in every answer that is an error."""
    for answer in answers.values():
        if isinstance(answer, dict):
            answer.pop("request_id", None)
    return answers


def test_rows_files_words_and_statistics_are_all_there(old: Flask, app: Flask, media: str) -> None:
    result = copy(app, old, "--media", media)
    assert result.exit_code == 0, result.output
    moved = without_request_ids(told(app.test_client()))
    assert moved == without_request_ids(told(old.test_client()))
    assert len(moved["/api/images?q=beach"]["data"]) == 4
    assert moved["/api/stats"]["data"]["failed"] == 1


def test_life_goes_on_after_the_move(old: Flask, app: Flask, media: str) -> None:
    copy(app, old, "--media", media)
    client = app.test_client()
    assert ids(client)[0] < upload(client) == ids(client)[0]
    assert post_form(client, "/api/frames", {"file": ("log.csv", LOG)}, log="south").status_code == 201
    assert client.delete(f"/api/images/{ids(client)[1]}").status_code == 204


def test_nothing_is_copied_over_what_is_here_already(old: Flask, app: Flask, media: str) -> None:
    upload(app.test_client())
    result = copy(app, old, "--media", media)
    assert (result.exit_code, "not empty" in result.output) == (1, True)
    assert len(ids(app.test_client())) == 1


def test_a_schema_that_differs_is_refused(old: Flask, app: Flask) -> None:
    with old.app_context():
        downgrade()
    result = copy(app, old)
    assert (result.exit_code, "db upgrade" in result.output) == (1, True)


def test_a_database_that_is_not_there_is_refused_and_not_made(app: Flask, tmp_path: Path) -> None:
    missing = tmp_path / "missing.db"
    result = app.test_cli_runner().invoke(args=["copy", "--from", f"sqlite:///{missing}"])
    assert (result.exit_code, missing.exists()) == (1, False)


def test_files_that_are_nowhere_are_named_before_anything_is_copied(
    old: Flask, app: Flask, media: str
) -> None:
    lost = next(path for path in Path(media).rglob("*-square.jpg"))
    lost.unlink()
    result = copy(app, old, "--media", media)
    assert (result.exit_code, "Nothing was copied" in result.output) == (1, True)
    assert lost.relative_to(media).as_posix() in result.output
    assert ids(app.test_client()) == []
    result = copy(app, old, "--media", media, "--allow-missing")
    assert result.exit_code == 1
    assert lost.relative_to(media).as_posix() in result.output
    assert len(ids(app.test_client())) == 4


def test_without_the_media_folder_nothing_is_copied(old: Flask, app: Flask, media: str) -> None:
    result = copy(app, old)
    assert (result.exit_code, "--media" in result.output) == (1, True)
    assert ids(app.test_client()) == []
    assert copy(app, old, "--media", media).exit_code == 0


def test_the_end_tells_counts_and_sums_and_a_second_run_changes_nothing(
    old: Flask, app: Flask, media: str
) -> None:
    first = copy(app, old, "--media", media)
    before = without_request_ids(told(app.test_client()))
    again = copy(app, old, "--media", media)
    assert (first.exit_code, again.exit_code) == (0, 0)
    ending = first.output.splitlines()[-1]
    assert re.fullmatch(r"Copied: \d+ rows, 13 files, [\d,]+ bytes, as many as there\.", ending)
    assert again.output.splitlines()[-1] == ending
    assert without_request_ids(told(app.test_client())) == before
