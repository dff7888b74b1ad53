"""A storage or a database that is not this installation's is away: nothing is lost or begun anew."""

import shutil
import time
from pathlib import Path

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from imgpipe import create_app, installation
from imgpipe.config import load
from imgpipe.database.engine import db
from imgpipe.storage.protocol import MARK
from tests.factories import AppFactory, jpeg, post, shown, stored_files, upload
from tests.postgres import on_sqlite
from tests.servers import Server, run, serving


def media_of(app: Flask) -> Path:
    return Path(app.extensions["imgpipe"].settings.storage)


def established(app: Flask) -> str | None:
    with app.app_context():
        return installation.establish()


def test_a_new_storage_is_marked_with_the_id_that_the_database_holds(app: Flask) -> None:
    with app.app_context():
        held = db.session.scalar(text("SELECT id FROM installation"))
    assert (media_of(app) / MARK).read_text() == f"{held}\n"


def test_marking_twice_changes_nothing(app: Flask, client: FlaskClient) -> None:
    upload(client)
    assert established(app) is None
    assert established(app) is None


def test_an_older_installation_is_marked_when_one_of_its_files_is_there(
    app: Flask, client: FlaskClient
) -> None:
    upload(client)
    (media_of(app) / MARK).unlink()
    assert established(app) is None
    assert (media_of(app) / MARK).exists()


def test_an_older_installation_whose_files_are_not_there_is_not_marked(
    app: Flask, client: FlaskClient
) -> None:
    upload(client)
    media = media_of(app)
    media.rename(media.with_name("elsewhere"))
    assert "none is there" in (established(app) or "")
    assert not media.exists()


def test_the_storage_of_another_installation_is_told_and_left_alone(app: Flask, client: FlaskClient) -> None:
    (media_of(app) / MARK).write_text("another\n")
    assert "names another, 'another'" in (established(app) or "")
    assert (media_of(app) / MARK).read_text() == "another\n"
    assert post(client, jpeg()).status_code == 503


def test_what_was_copied_can_be_taken_over(app: Flask, client: FlaskClient) -> None:
    (media_of(app) / MARK).write_text("another\n")
    with app.app_context():
        installation.take_over()
    assert post(client, jpeg()).status_code == 202


@pytest.mark.parametrize("left", ["nothing", "a folder", "a file"])
def test_an_upload_into_a_storage_that_is_away_is_503_and_leaves_nothing(
    app: Flask, client: FlaskClient, left: str
) -> None:
    media = media_of(app)
    media.rename(media.with_name("elsewhere"))
    if left == "a folder":
        media.mkdir()
    elif left == "a file":
        media.write_text("not a folder")
    refused = post(client, jpeg())
    assert (refused.status_code, refused.json["code"]) == (503, "unavailable")  # type: ignore[index]
    assert refused.headers["Retry-After"]
    ready = client.get("/api/health/ready")
    assert (ready.status_code, ready.json["checks"]["storage"]) == (503, "down")  # type: ignore[index]
    assert client.get("/api/images").json["data"] == []  # type: ignore[index]
    assert stored_files(app) == []


def test_a_thumbnail_of_a_storage_that_is_away_is_503_and_not_missing(
    app: Flask, client: FlaskClient
) -> None:
    image_id = upload(client)
    media = media_of(app)
    media.rename(media.with_name("elsewhere"))
    for path in ("thumbnails/small", "original"):
        assert client.get(f"/api/images/{image_id}/{path}").status_code == 503
    media.with_name("elsewhere").rename(media)
    assert client.get(f"/api/images/{image_id}/thumbnails/small").status_code == 200


def test_the_health_check_writes_nothing(app: Flask, client: FlaskClient) -> None:
    before = {path: path.stat().st_mtime_ns for path in [media_of(app), *media_of(app).rglob("*")]}
    assert client.get("/api/health/ready").status_code == 200
    assert {path: path.stat().st_mtime_ns for path in [media_of(app), *media_of(app).rglob("*")]} == before


def test_queued_pictures_wait_for_an_unmounted_volume(tmp_path: Path) -> None:
    volume = tmp_path / "media"
    with serving(tmp_path, WEB_CONCURRENCY="1") as server:
        server.upload(jpeg())
        server.await_all_done()
        server.kill()
        queued = "UPDATE images SET status='processing', stage='render', due_at='2026-01-01 00:00:00.000000'"
        server.sql(queued)
        server.sql("UPDATE tallies SET success = 0, worked_ms = 0")
        volume.rename(tmp_path / "elsewhere")
        volume.mkdir()
        _start_without_storage(server)
        time.sleep(1)  # the work is looked at meanwhile, and put off
        assert server.get("/api/stats")["processing"] == 1
        answer = requests.post(f"{server.url}/api/images", files={"file": jpeg()}, timeout=10)
        assert (answer.status_code, list(volume.iterdir())) == (503, [])
        volume.rmdir()
        (tmp_path / "elsewhere").rename(volume)
        assert server.await_all_done()["success"] == 1


def _start_without_storage(server: Server) -> None:
    """Start a server that says that it is not ready, for its storage alone."""
    server.start("/api/health/status")
    checks = requests.get(f"{server.url}/api/health/ready", timeout=10).json()["checks"]
    assert checks == {"database": "ok", "storage": "down", "jobs": "ok"}
    assert "expected the files of this installation" in server.output.read_text()


def move(pattern: str, source: Path, target: Path) -> None:
    """Move a database with its log, as whoever restores a backup does."""
    target.mkdir(exist_ok=True)
    for path in source.glob(pattern):
        path.rename(target / path.name)


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
def test_a_database_file_that_is_gone_is_503_until_it_is_back(tmp_path: Path, replaced: bool) -> None:
    file, aside = tmp_path / "imgpipe.db", tmp_path / "aside"
    with serving(tmp_path) as server:
        kept = server.upload(jpeg())
        server.await_all_done()
        move("imgpipe.db*", tmp_path, aside)
        if replaced:
            assert run("flask --app wsgi db upgrade", tmp_path).returncode == 0
        for _ in range(6):
            answer = requests.post(f"{server.url}/api/images", files={"file": jpeg()}, timeout=10)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert server.await_ready(503)["checks"]["database"] == "down"
        assert file.exists() == replaced
        move("imgpipe.db*", tmp_path, tmp_path / "second")
        move("imgpipe.db*", aside, tmp_path)
        assert server.get(f"/api/images/{kept}")["status"] == "success"
        server.upload(jpeg())
        assert server.await_all_done()["total"] == 2


def test_a_worker_that_begins_on_another_file_than_its_server_did_refuses_it(tmp_path: Path) -> None:
    with serving(tmp_path, WEB_CONCURRENCY="1") as server:
        server.upload(jpeg())
        server.await_all_done()
        move("imgpipe.db*", tmp_path, tmp_path / "aside")
        assert run("flask --app wsgi db upgrade", tmp_path).returncode == 0
        (former,) = server.workers()
        former.kill()
        former.wait()
        server.await_answer("/api/health/status")
        assert server.await_ready(503)["checks"]["database"] == "down"
        move("imgpipe.db*", tmp_path, tmp_path / "second")
        move("imgpipe.db*", tmp_path / "aside", tmp_path)
        server.await_ready()
        assert server.get("/api/stats")["total"] == 1


@on_sqlite
def test_a_file_that_is_replaced_before_the_first_connection_is_refused(
    tmp_path: Path, database_url: str, migrated: Path
) -> None:
    client = create_app(load({"IMGPIPE_DATA_DIR": str(tmp_path), "IMGPIPE_JOBS": "inline"})).test_client()
    move("imgpipe.db*", tmp_path, tmp_path / "aside")
    shutil.copy(migrated, tmp_path / "imgpipe.db")
    assert client.get("/api/images").status_code == 503


@on_sqlite
def test_no_command_makes_a_database_but_the_upgrade(tmp_path: Path, make_app: AppFactory) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    client = make_app(DATABASE_URL=url).test_client()
    assert client.get("/api/images").status_code == 503
    assert not (tmp_path / "other.db").exists()


def test_a_picture_is_shown_though_its_storage_is_away(app: Flask, client: FlaskClient) -> None:
    image_id = upload(client)
    media_of(app).rename(media_of(app).with_name("elsewhere"))
    assert shown(client, image_id)["status"] == "success"
