"""The doctor finds what is wrong between database and storage, and mends it without doing harm."""

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Executable, delete, text, update

from imgpipe.clock import utc_now
from imgpipe.database.engine import db
from imgpipe.database.models import Image, Tally, Thumbnail
from imgpipe.doctor.tallies import recount
from tests.captions.provider import SENTENCE, Provider
from tests.factories import AppFactory, jpeg, post, shown, stored_files, upload

HOUR_S = 3600
CHECKS = {
    "orphan files",
    "missing derivatives",
    "missing originals",
    "stuck pictures",
    "overdue work",
    "wrong tallies",
    "unsearchable pictures",
}


def doctor(app: Flask, *options: str) -> Result:
    return app.test_cli_runner().invoke(args=["doctor", *options])


def ill(result: Result) -> dict[str, tuple[int, int]]:
    """Return what the table says: found and mended, of the checks that found anything."""
    rows = [(line[:22].strip(), line[22:].split()) for line in result.output.splitlines()]
    counts = {name: (int(cells[0]), int(cells[1])) for name, cells in rows if name in CHECKS}
    assert set(counts) == CHECKS, result.output
    return {name: count for name, count in counts.items() if count[0]}


def assert_mended(app: Flask, check: str, count: int = 1) -> None:
    """Find it, mend it, and find nothing any more."""
    for options, code, found in (
        ((), 1, {check: (count, 0)}),
        (("--fix",), 0, {check: (count, count)}),
        ((), 0, {}),
    ):
        result = doctor(app, *options)
        assert (result.exit_code, ill(result)) == (code, found), result.output


def change(app: Flask, statement: Executable) -> None:
    with app.app_context():
        db.session.execute(statement)
        db.session.commit()


def path_of(app: Flask, pattern: str) -> Path:
    (found,) = Path(app.extensions["imgpipe"].settings.storage).rglob(pattern)
    return found


def put(app: Flask, key: str, age_s: float) -> Path:
    """Write a file past the service."""
    path = Path(app.extensions["imgpipe"].settings.storage) / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_nothing_is_wrong_with_a_healthy_installation(app: Flask, client: FlaskClient) -> None:
    upload(client)
    upload(client, jpeg(900, 900)[:9000])
    result = doctor(app)
    assert (result.exit_code, ill(result)) == (0, {})


def test_nothing_is_wrong_with_an_empty_installation(app: Flask) -> None:
    assert doctor(app, "--fix").exit_code == 0


@pytest.mark.parametrize(
    "key",
    [
        "originals/7f/0190a1b2-0000-7000-8000-00000000007f.jpg",
        "derivatives/7f/0190a1b2-0000-7000-8000-00000000007f-small.jpg",
        "originals/7f/0123456789abcdef0123456789abcdef.part",
        "ping-0123456789abcdef0123456789abcdef",
    ],
)
def test_a_file_that_no_row_names_is_deleted(app: Flask, client: FlaskClient, key: str) -> None:
    upload(client)
    orphan = put(app, key, age_s=2 * HOUR_S)
    assert_mended(app, "orphan files")
    assert not orphan.exists()
    assert len(stored_files(app)) == 4


def test_a_young_file_may_belong_to_an_upload_and_stays(app: Flask, client: FlaskClient) -> None:
    upload(client)
    young = put(app, "originals/7f/0190a1b2-0000-7000-8000-00000000007f.jpg", age_s=HOUR_S / 2)
    assert ill(doctor(app, "--fix")) == {}
    assert young.exists()


def test_a_file_that_is_not_ours_stays(app: Flask, client: FlaskClient) -> None:
    upload(client)
    foreign = [put(app, key, age_s=9 * HOUR_S) for key in ("lost+found/readme", "originals/notes.txt")]
    assert ill(doctor(app, "--fix")) == {}
    assert all(path.exists() for path in foreign)


@pytest.mark.parametrize("policy", ["keep", "zip"])
def test_a_missing_derivative_is_rendered_again(make_app: AppFactory, policy: str) -> None:
    app = make_app(IMGPIPE_ORIGINALS=policy)
    client = app.test_client()
    image_id = upload(client)
    before = client.get(f"/api/images/{image_id}/thumbnails/small")
    path_of(app, f"{image_id}-small.jpg").unlink()
    assert_mended(app, "missing derivatives")
    after = client.get(f"/api/images/{image_id}/thumbnails/small")
    assert (after.data, after.headers["ETag"]) == (before.data, before.headers["ETag"])


def test_rendering_again_pays_for_no_caption(make_app: AppFactory, provider: Provider) -> None:
    app = make_app(IMGPIPE_CAPTIONER="openai", OPENAI_API_KEY="sk-x", IMGPIPE_CAPTION_URL=provider.openai_url)
    image_id = upload(app.test_client())
    calls = len(provider.calls)
    path_of(app, f"{image_id}-medium.jpg").unlink()
    assert_mended(app, "missing derivatives")
    assert shown(app.test_client(), image_id)["caption"] == SENTENCE
    assert len(provider.calls) == calls


def test_a_picture_fails_whose_derivative_and_original_are_gone(app: Flask, client: FlaskClient) -> None:
    lost, kept = upload(client), upload(client, jpeg(300, 300))
    path_of(app, f"{lost}-small.jpg").unlink()
    path_of(app, f"{lost}.jpg").unlink()
    result = doctor(app, "--fix")
    assert (result.exit_code, ill(result)) == (
        0,
        {"missing derivatives": (1, 1), "missing originals": (1, 1)},
    )
    assert ill(doctor(app)) == {}
    assert shown(client, lost)["error_code"] == "original_missing"
    assert shown(client, kept)["status"] == "success"
    totals = client.get("/api/stats").json["data"]  # type: ignore[index]
    assert (totals["success"], totals["failed"]) == (1, 1)


def test_a_picture_fails_whose_derivative_is_gone_and_original_damaged(
    app: Flask, client: FlaskClient
) -> None:
    lost, _ = upload(client, jpeg(900, 900)), upload(client, jpeg(300, 300))
    path_of(app, f"{lost}-small.jpg").unlink()
    original = path_of(app, f"{lost}.jpg")
    original.write_bytes(original.read_bytes()[:9000])
    assert_mended(app, "missing derivatives")
    assert shown(client, lost)["error_code"] == "corrupt_image"


def test_a_picture_outlives_its_original(app: Flask, client: FlaskClient) -> None:
    lost, _ = upload(client), upload(client, jpeg(300, 300))
    path_of(app, f"{lost}.jpg").unlink()
    assert_mended(app, "missing originals")
    assert shown(client, lost)["status"] == "success"
    assert client.get(f"/api/images/{lost}/thumbnails/medium").status_code == 200
    assert client.get(f"/api/images/{lost}/original").json["code"] == "original_discarded"  # type: ignore[index]


@pytest.mark.parametrize(
    ("check", "state"),
    [
        ("stuck pictures", lambda: {"status": "processing", "stage": None, "facts": None}),
        ("stuck pictures", lambda: {"status": "processing", "stage": "render", "due_at": None}),
        ("stuck pictures", lambda: {"status": "processing", "stage": "render", "due_at": in_hours(5)}),
        ("stuck pictures", lambda: {"status": "processing", "stage": None, "due_at": None}),
        ("overdue work", lambda: {"status": "processing", "stage": "render", "due_at": in_hours(-1)}),
        (
            "overdue work",
            lambda: {"status": "processing", "stage": "render", "due_at": in_hours(-1), "running": True},
        ),
    ],
)
def test_a_picture_that_nobody_would_ever_end_goes_on(
    app: Flask, client: FlaskClient, check: str, state: Callable[[], dict[str, Any]]
) -> None:
    image_id = upload(client)
    change(app, update(Image).values(**state()))
    change(app, update(Tally).values(success=0, worked_ms=0))
    assert_mended(app, check)
    assert app.test_cli_runner().invoke(args=["images", "process"]).exit_code == 0
    assert shown(client, image_id)["status"] == "success"
    assert client.get("/api/stats").json["data"]["processing"] == 0  # type: ignore[index]


def in_hours(hours: float) -> Any:
    return utc_now() + timedelta(hours=hours)


def test_a_failed_picture_with_work_is_put_to_rest(app: Flask, client: FlaskClient) -> None:
    image_id = upload(client, jpeg(900, 900)[:9000])
    change(app, update(Image).values(stage="render", due_at=utc_now()))
    assert_mended(app, "stuck pictures")
    assert shown(client, image_id)["status"] == "failed"


def test_work_that_is_under_way_is_left_alone(app: Flask, client: FlaskClient) -> None:
    upload(client)
    change(app, update(Image).values(status="processing", stage="caption", due_at=utc_now(), running=True))
    change(app, update(Tally).values(success=0, worked_ms=0))
    assert ill(doctor(app, "--fix")) == {}


def test_wrong_tallies_are_counted_again(app: Flask, client: FlaskClient) -> None:
    upload(client)
    upload(client, jpeg(900, 900)[:9000])
    before = client.get("/api/stats").json
    change(app, update(Tally).values(total=7, success=0, failed=1, worked_ms=12))
    assert_mended(app, "wrong tallies", count=4)
    assert client.get("/api/stats").json == before


def test_missing_words_are_entered_again(app: Flask, client: FlaskClient) -> None:
    image_id = upload(client, name="lighthouse.jpg")
    change(app, text("DELETE FROM image_words"))
    assert_mended(app, "unsearchable pictures")
    found = client.get("/api/images", query_string={"q": "light"}).json["data"]  # type: ignore[index]
    assert [image["image_id"] for image in found] == [image_id]


def test_a_storage_that_is_not_mounted_is_no_loss_to_be_mended(app: Flask, client: FlaskClient) -> None:
    image_id = upload(client)
    media = Path(app.extensions["imgpipe"].settings.storage)
    media.rename(media.with_name("elsewhere"))
    media.mkdir()
    result = doctor(app, "--fix")
    assert (result.exit_code, result.output.splitlines()[-1][:6]) == (1, "Error:")
    media.rmdir()
    media.with_name("elsewhere").rename(media)
    assert shown(client, image_id)["status"] == "success"
    assert ill(doctor(app)) == {}


def test_the_files_of_another_database_are_not_deleted(app: Flask, client: FlaskClient) -> None:
    image_id = upload(client)
    for path in stored_files(app):
        put(app, path.as_posix(), age_s=2 * HOUR_S)
    change(app, text("DELETE FROM thumbnails"))
    change(app, text("DELETE FROM images"))
    assert doctor(app, "--fix").exit_code == 1
    assert path_of(app, f"{image_id}.jpg").exists()


def test_a_storage_that_is_away_is_told_in_a_line(app: Flask, client: FlaskClient) -> None:
    upload(client)
    media = Path(app.extensions["imgpipe"].settings.storage)
    media.rename(media.with_name("elsewhere"))
    media.write_text("not a folder")
    result = doctor(app)
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith("Error: ")


def test_it_works_beside_uploads(app: Flask, client: FlaskClient) -> None:
    assert post(client, jpeg()).status_code == 202
    assert doctor(app, "--fix").exit_code == 0
    assert post(client, jpeg()).status_code == 202


def test_a_derivative_without_its_row_gets_one_and_is_no_orphan_any_more(
    app: Flask, client: FlaskClient
) -> None:
    image_id = upload(client)
    before = client.get(f"/api/images/{image_id}/thumbnails/small")
    change(app, delete(Thumbnail).where(Thumbnail.name == "small"))
    with app.app_context():
        recount([""])
    assert client.get(f"/api/images/{image_id}/thumbnails/small").status_code == 404
    assert_mended(app, "missing derivatives")
    after = client.get(f"/api/images/{image_id}/thumbnails/small")
    assert (after.data, after.headers["ETag"]) == (before.data, before.headers["ETag"])


def test_an_old_derivative_that_no_row_names_is_an_orphan(app: Flask, client: FlaskClient) -> None:
    image_id = upload(client)
    put(app, f"derivatives/{image_id[-2:]}/{image_id}-small.png", age_s=2 * HOUR_S)
    assert_mended(app, "orphan files")


def test_a_picture_without_any_row_of_a_derivative_gets_all_of_them(app: Flask, client: FlaskClient) -> None:
    image_id = upload(client)
    change(app, delete(Thumbnail))
    with app.app_context():
        recount([""])
    assert_mended(app, "missing derivatives")
    for url in shown(client, image_id)["thumbnails"].values():
        assert client.get(url).status_code == 200


@pytest.mark.parametrize("lost", [False, True], ids=["discarded", "lost"])
def test_a_new_size_that_cannot_be_made_costs_no_picture(make_app: AppFactory, lost: bool) -> None:
    first = make_app(IMGPIPE_ORIGINALS="keep" if lost else "discard")
    image_id = upload(first.test_client(), jpeg(900, 600))
    if lost:
        path_of(first, f"{image_id}.jpg").unlink()
    app = make_app(IMGPIPE_THUMBNAILS="small:128,medium:512,large:700")
    doctor(app, "--fix")
    assert shown(app.test_client(), image_id)["status"] == "success"
    assert ill(doctor(app)) == {}


def test_a_new_size_is_made_for_what_was_there_before(make_app: AppFactory) -> None:
    ids = [upload(make_app().test_client(), jpeg(900 + number, 600)) for number in range(3)]
    app = make_app(IMGPIPE_THUMBNAILS="small:128,medium:512,large:700")
    client = app.test_client()
    assert client.get(f"/api/images/{ids[0]}/thumbnails/large").json["code"] == "thumbnail_not_ready"  # type: ignore[index]
    assert_mended(app, "missing derivatives", count=3)
    assert client.get(f"/api/images/{ids[0]}/thumbnails/large").status_code == 200
    changed = make_app(IMGPIPE_THUMBNAILS="small:128,medium:512,large:800")
    assert_mended(changed, "missing derivatives", count=3)
    assert ill(doctor(make_app())) == {}
