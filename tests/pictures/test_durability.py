"""Whoever unlinks a file has made durable first that no row names it: a power cut loses no original."""

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from imgpipe.database.engine import db
from imgpipe.storage.local import LocalStorage
from tests.captions.provider import Provider
from tests.factories import AppFactory, jpeg, upload
from tests.pictures.test_caption import openai
from tests.postgres import on_sqlite

pytestmark = on_sqlite  # the other database makes every commit durable

FULL = "synchronous 2"  # https://www.sqlite.org/pragma.html#pragma_synchronous
UNNAMES = re.compile("UPDATE images SET .*original_key|DELETE FROM images")


class Recording(LocalStorage):
    """Note what is deleted, among the statements."""

    def __init__(self, root: Path, notes: list[str]) -> None:
        super().__init__(root)
        self._notes = notes

    def delete(self, key: str) -> None:
        self._notes.append(f"delete {key}")
        super().delete(key)


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture(params=["keep", "zip", "discard"])
def app(request: pytest.FixtureRequest, make_app: AppFactory, provider: Provider, notes: list[str]) -> Flask:
    app = make_app(**openai(provider, IMGPIPE_ORIGINALS=request.param))
    parts = app.extensions["imgpipe"]
    parts.storage = Recording(Path(parts.settings.storage), notes)

    def note(_connection: object, cursor: Any, statement: str, *_: Any) -> None:
        if statement == "BEGIN IMMEDIATE":
            notes.append(f"synchronous {cursor.connection.execute('PRAGMA synchronous').fetchone()[0]}")
        notes.append(statement)

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", note)
        event.listen(db.engine, "commit", lambda _connection: notes.append("COMMIT"))
    return app


def test_the_commit_that_takes_a_files_name_away_is_durable_before_it_is_unlinked(
    app: Flask, notes: list[str]
) -> None:
    client = app.test_client()
    image_id = upload(client, jpeg())
    assert client.delete(f"/api/images/{image_id}").status_code == 204
    unlinked = [number for number, note in enumerate(notes) if note.startswith("delete originals")]
    assert unlinked
    for number in unlinked:
        unnamed = max(place for place, note in enumerate(notes[:number]) if UNNAMES.match(note))
        begun = max(place for place, note in enumerate(notes[:unnamed]) if note == "BEGIN IMMEDIATE")
        assert notes[begun - 1] == FULL
        assert "COMMIT" in notes[unnamed:number]
