"""SQLite and PostgreSQL are one service: the same schema, the same queue, the same answers."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import insert, inspect

from imgpipe import create_app
from imgpipe.clock import utc_now
from imgpipe.config import load
from imgpipe.database.engine import db, writing
from imgpipe.database.models import Image, new_id, position_of
from imgpipe.database.schema import check, downgrade, upgrade
from imgpipe.pictures import queue, search
from tests.corpus import CORPUS
from tests.factories import post
from tests.postgres import Postgres

CLAIMANTS, QUEUED = 4, 1_500
SUFFIXES = (".jpg", ".jpeg", ".mpo", ".png", ".apng")
OWN = ("image_id", "uploaded_at", "processed_at", "processing_time_ms")  # no two pictures share these


@contextmanager
def app_over(folder: Path, url: str) -> Iterator[Flask]:
    """Have an app with inline jobs for the length of a block."""
    options = {"IMGPIPE_DATA_DIR": str(folder), "IMGPIPE_JOBS": "inline", "DATABASE_URL": url}
    app = create_app(load(options))
    try:
        yield app
    finally:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the URL of a database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"empty_{uuid4().hex}"
    yield server.create(name)
    server.drop(name)


def test_migrations_go_up_down_and_up_and_then_agree_with_the_models(tmp_path: Path, empty_url: str) -> None:
    with app_over(tmp_path, empty_url) as app, app.app_context():
        upgrade()
        check()
        downgrade(revision="base")
        assert set(inspect(db.engine).get_table_names()) == {"alembic_version"}
        upgrade()
        check()


def queue_up(app: Flask, count: int) -> list[UUID]:
    """Lay down rows with work that is due, and the words of their names; return the ids."""
    now = utc_now()
    common = {
        "original_name": "a.jpg", "format": "jpg", "sha256": "", "size_bytes": 1, "status": "processing",
        "caption_status": "skipped", "changed_at": now, "due_at": now, "stage": queue.RENDER,
    }  # fmt: skip
    ids = [new_id() for _ in range(2 * count)]
    by_position = {position_of(id): id for id in ids}  # within one millisecond some are the same
    chosen = list(by_position.items())[:count]
    with app.app_context(), writing(durable=False) as session:
        session.execute(insert(Image), [{"id": id, "position": place, **common} for place, id in chosen])
        search.enter_all(session, [(place, "beach", None) for place, _ in chosen])
    return [id for _, id in chosen]


def claim_all(folder: Path, url: str) -> list[UUID]:
    """Claim until nothing is due, and return the ids: what one process among several does."""
    found = []
    with app_over(folder, url) as app, app.app_context():
        while claim := queue.claim(queue.RENDER, 600):
            assert claim.attempt == 1
            found.append(claim.image_id)
    return found


def test_every_piece_of_work_is_claimed_by_one_of_several_processes(
    app: Flask, tmp_path: Path, database_url: str
) -> None:
    queue_up(app, QUEUED)
    with ProcessPoolExecutor(CLAIMANTS, get_context("spawn")) as processes:
        claiming = [
            processes.submit(claim_all, tmp_path / str(number), database_url) for number in range(CLAIMANTS)
        ]
        shares = [task.result() for task in claiming]
    counts = Counter(image_id for share in shares for image_id in share)
    assert len(counts) == QUEUED
    assert set(counts.values()) == {1}


@pytest.mark.parametrize("count", [4, search.SAMPLE // 4])
def test_a_word_is_found_newest_first_be_it_rare_or_common(app: Flask, count: int) -> None:
    ids = queue_up(app, count)
    client = app.test_client()
    url: str | None = "/api/images?q=bea&limit=100"
    found: list[UUID] = []
    while url:
        body = json.loads(client.get(url).text)
        url = body["next"]
        found += [UUID(item["image_id"]) for item in body["data"]]
    assert found == sorted(ids, reverse=True)


def answers(app: Flask) -> dict[str, Any]:
    """Upload the whole corpus, two pictures at a time; return by file what is told of it in the end."""
    files = sorted(path for path in CORPUS.rglob("*") if path.suffix in SUFFIXES)
    with ThreadPoolExecutor(2) as clients:
        uploaded = list(clients.map(lambda path: upload(app, path), files))
        told = clients.map(lambda answer: told_of(app, answer), uploaded)
        return {str(path.relative_to(CORPUS)): answer for path, answer in zip(files, told, strict=True)}


def upload(app: Flask, path: Path) -> dict[str, Any]:
    """Upload a file and return the answer; whoever is at it processes it."""
    body: dict[str, Any] = json.loads(post(app.test_client(), path.read_bytes(), path.name).text)
    return body


def told_of(app: Flask, answer: dict[str, Any]) -> Any:
    """Return a picture's JSON without what is the upload's own, or the code of its refusal."""
    if answer["data"] is None:
        return answer["code"]
    image_id = answer["data"]["image_id"]
    text = app.test_client().get(f"/api/images/{image_id}").text.replace(image_id, "ID")
    return {name: value for name, value in json.loads(text)["data"].items() if name not in OWN}


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus of pictures: set CORPUS_DIR")
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_both_answer_the_same_of_every_picture_of_the_corpus(
    tmp_path: Path, migrated: Path, postgres: Postgres, template: str
) -> None:
    name = f"corpus_{uuid4().hex}"
    shutil.copy(migrated, tmp_path / "corpus.db")
    urls = {"sqlite": f"sqlite:///{tmp_path / 'corpus.db'}", "postgresql": postgres.create(name, template)}
    told = {}
    for kind, url in urls.items():
        with app_over(tmp_path / kind, url) as app:
            told[kind] = answers(app)
    postgres.drop(name)
    assert len(told["sqlite"]) > 800
    different = {file for file, answer in told["sqlite"].items() if told["postgresql"][file] != answer}
    assert different == set()
