"""SQLite and PostgreSQL are one service: the same schema, the same queue, the same search."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
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
from tests.postgres import Postgres

pytestmark = pytest.mark.system

CLAIMANTS, QUEUED = 4, 600


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
