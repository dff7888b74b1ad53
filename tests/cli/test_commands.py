"""The command line does what it says, can be run again, and tells each failure in one line."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from imgpipe.database.sqlitefile import sqlite
from tests.captions.provider import SENTENCE, Provider
from tests.factories import AppFactory, jpeg, png, shown, upload
from tests.postgres import on_sqlite
from tests.servers import KEPT, ROOT, run, serving

IMPORT = "flask --app wsgi images import"


def call(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=arguments)


def last_line(result: Result) -> str:
    return result.output.splitlines()[-1]


def names(client: FlaskClient) -> set[str]:
    page = client.get("/api/images").json
    assert page is not None
    return {image["original_name"] for image in page["data"]}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder with three different pictures at different depths."""
    folder = tmp_path / "photos"
    (folder / "2004" / "summer").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(jpeg(300, 200))
    (folder / "2004" / "b.JPG").write_bytes(jpeg(301, 200))
    (folder / "2004" / "summer" / "c.png").write_bytes(png())
    return folder


def test_a_folder_is_imported_with_all_below_it(app: Flask, client: FlaskClient, photos: Path) -> None:
    result = call(app, "images", "import", str(photos))
    assert (result.exit_code, last_line(result)) == (0, "3 new, 0 already in, 0 failed")
    assert names(client) == {"a.jpg", "b.JPG", "c.png"}
    totals = client.get("/api/stats").json["data"]  # type: ignore[index]
    assert (totals["total"], totals["success"]) == (3, 3)


def test_a_second_import_skips_what_is_in(app: Flask, client: FlaskClient, photos: Path) -> None:
    call(app, "images", "import", str(photos))
    (photos / "d.jpg").write_bytes(jpeg(302, 200))
    assert last_line(call(app, "images", "import", str(photos))) == "1 new, 3 already in, 0 failed"


def test_what_was_uploaded_before_is_not_imported_again(
    app: Flask, client: FlaskClient, photos: Path
) -> None:
    upload(client, (photos / "a.jpg").read_bytes())
    assert last_line(call(app, "images", "import", str(photos))) == "2 new, 1 already in, 0 failed"


def test_files_of_the_same_bytes_are_imported_once(app: Flask, photos: Path) -> None:
    for number in range(20):
        (photos / f"copy{number}.jpg").write_bytes((photos / "a.jpg").read_bytes())
    assert last_line(call(app, "images", "import", str(photos))) == "3 new, 20 already in, 0 failed"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "No file was sent, or it is empty."),
        (b"<html></html>", "Unsupported file type. Use JPG or PNG."),
        (jpeg(900, 900)[:9000], "The picture is damaged and cannot be read."),
        (
            jpeg(900, 900) + bytes(40_000),
            "What was sent is larger than allowed: 40,000 bytes, see IMGPIPE_MAX_UPLOAD_BYTES.",
        ),
    ],
)
def test_a_failure_is_one_line_with_file_and_reason(
    make_app: AppFactory, photos: Path, data: bytes, reason: str
) -> None:
    (photos / "bad\n\x1b[2J.jpg").write_bytes(data)
    result = call(make_app(IMGPIPE_MAX_UPLOAD_BYTES="40000"), "images", "import", str(photos))
    assert (result.exit_code, last_line(result)) == (1, "3 new, 0 already in, 1 failed")
    assert f"{photos}/bad��[2J.jpg: {reason}" in result.output.splitlines()


def test_pictures_are_found_by_content_and_other_files_passed_over(
    app: Flask, client: FlaskClient, photos: Path
) -> None:
    (photos / "no-suffix").write_bytes(jpeg(400, 300))
    (photos / "notes.txt").write_text("not a picture")
    (photos / "._a.jpg").write_bytes(b"a resource fork")
    (photos / ".trash").mkdir()
    (photos / ".trash" / "z.jpg").write_bytes(jpeg(10, 10))
    assert last_line(call(app, "images", "import", str(photos))) == "4 new, 0 already in, 0 failed"
    assert "no-suffix" in names(client)


def test_a_picture_that_failed_before_is_told_again(app: Flask, photos: Path) -> None:
    (photos / "bad.jpg").write_bytes(jpeg(900, 900)[:9000])
    call(app, "images", "import", str(photos))
    result = call(app, "images", "import", str(photos))
    assert (result.exit_code, last_line(result)) == (1, "0 new, 3 already in, 1 failed")


def test_single_files_can_be_named(app: Flask, photos: Path) -> None:
    (photos / "notes.txt").write_text("not a picture")
    result = call(app, "images", "import", str(photos / "a.jpg"), str(photos / "notes.txt"))
    assert (result.exit_code, last_line(result)) == (1, "1 new, 0 already in, 1 failed")


def test_the_storage_itself_is_not_imported(app: Flask, photos: Path, tmp_path: Path) -> None:
    call(app, "images", "import", str(photos))
    assert last_line(call(app, "images", "import", str(tmp_path))) == "0 new, 3 already in, 0 failed"


def test_a_folder_that_is_not_there_is_a_usage_error(app: Flask, tmp_path: Path) -> None:
    assert call(app, "images", "import", str(tmp_path / "nothing")).exit_code == 2


def test_a_storage_that_is_away_ends_the_import_in_one_line(app: Flask, photos: Path, tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.rename(tmp_path / "elsewhere")
    media.write_text("not a folder")
    result = call(app, "images", "import", str(photos))
    assert result.exit_code == 1
    assert last_line(result).startswith("Error: ")


def test_process_works_off_what_import_only_queued(make_app: AppFactory, photos: Path) -> None:
    app = make_app(IMGPIPE_JOBS="threads")
    result = call(app, "images", "import", "--queue-only", str(photos))
    assert (result.exit_code, last_line(result)) == (0, "3 new, 0 already in, 0 failed")
    client = make_app().test_client()
    assert client.get("/api/stats").json["data"]["processing"] == 3  # type: ignore[index]
    assert call(make_app(IMGPIPE_JOBS="threads"), "images", "process").exit_code == 0
    assert client.get("/api/stats").json["data"]["success"] == 3  # type: ignore[index]


def test_process_says_when_there_is_nothing_to_do(app: Flask) -> None:
    result = call(app, "images", "process")
    assert (result.exit_code, result.output) == (0, "Nothing is queued.\n")


def test_caption_captions_what_has_none(make_app: AppFactory, provider: Provider) -> None:
    image_id = upload(make_app().test_client())
    app = make_app(IMGPIPE_CAPTIONER="openai", OPENAI_API_KEY="k", IMGPIPE_CAPTION_URL=provider.openai_url)
    result = call(app, "images", "caption", "--missing")
    assert (result.exit_code, result.output.splitlines()[1]) == (0, "1 pictures are queued.")
    assert shown(app.test_client(), image_id)["caption"] == SENTENCE


def test_caption_wants_to_know_which(app: Flask) -> None:
    assert call(app, "images", "caption").exit_code == 2


def test_caption_without_captioner_says_what_to_set(app: Flask) -> None:
    result = call(app, "images", "caption", "--all")
    assert (result.exit_code, "IMGPIPE_CAPTIONER" in result.output) == (1, True)


def test_config_shows_every_option_and_no_secret(make_app: AppFactory) -> None:
    result = call(make_app(OPENAI_API_KEY="sk-very-secret", IMGPIPE_WORKERS="3"), "config")
    assert result.exit_code == 0
    assert "sk-very-secret" not in result.output
    shown_options = {line.split()[0]: line.split()[1] for line in result.output.splitlines()}
    assert (shown_options["IMGPIPE_WORKERS"], shown_options["OPENAI_API_KEY"]) == ("3", "***")


def test_an_import_beside_a_running_server_does_each_picture_once(tmp_path: Path, photos: Path) -> None:
    for number in range(8):
        (photos / f"more{number}.jpg").write_bytes(jpeg(400 + number, 300))
    with serving(tmp_path / "data", WEB_CONCURRENCY="1") as server:
        queued = run(f"{IMPORT} --queue-only {photos / '2004'}", server.data_dir)
        worked = run(f"{IMPORT} {photos}", server.data_dir)
        totals = server.await_all_done()
        assert server.sql("SELECT max(attempt), min(attempt) FROM images") == [(1, 1)]
    assert (queued.returncode, worked.returncode) == (0, 0), queued.stdout + worked.stdout
    assert (totals["total"], totals["success"]) == (11, 11)


def test_an_interrupted_import_loses_nothing_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.jpg").write_bytes(jpeg(1200 + number, 900))
    data = tmp_path / "data"
    run("python init_db.py", data)
    assert interrupt_after(f"{IMPORT} {folder}", data, pictures=3) == 130
    before = count(data)
    assert before < 40
    again = run(f"{IMPORT} {folder}", data)
    assert again.returncode == 0, again.stdout
    assert again.stdout.splitlines()[-1] == f"{40 - before} new, {before} already in, 0 failed"
    assert count(data, "status = 'success'") == 40


def interrupt_after(command: str, data: Path, pictures: int) -> int:
    """Press Ctrl-C once so many pictures are in; return the exit status."""
    program, *arguments = command.split()
    environ = {name: os.environ[name] for name in KEPT if name in os.environ}
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name(program)), *arguments],
        cwd=ROOT,
        env=environ | {"IMGPIPE_DATA_DIR": str(data)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while count(data) < pictures and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    return process.wait(30)


def count(data: Path, condition: str = "1 = 1") -> int:
    connection = sqlite.connect(data / "imgpipe.db", timeout=30)
    try:
        return int(connection.execute(f"SELECT count(*) FROM images WHERE {condition}").fetchone()[0])
    finally:
        connection.close()


def test_the_schema_comes_up_from_any_folder_and_again(tmp_path: Path) -> None:
    for step in ("upgrade", "upgrade"):
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", str(ROOT / "wsgi.py"), "db", *step.split()],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "IMGPIPE_DATA_DIR": str(tmp_path / "data")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "data" / "imgpipe.db").exists()


@on_sqlite
def test_a_migration_that_fails_by_our_fault_is_not_told_as_a_database_that_is_away(
    tmp_path: Path, make_app: AppFactory
) -> None:
    broken = make_app(DATABASE_URL=f"sqlite:///{tmp_path / 'broken.db'}")
    with closing(sqlite.connect(tmp_path / "broken.db")) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")
    result = call(broken, "db", "upgrade")
    assert isinstance(result.exception, OperationalError)
    assert "expected a database that answers" not in result.output
