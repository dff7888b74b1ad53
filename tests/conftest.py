"""Make apps over a fresh data directory each, and clients for them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.test import TestResponse

from imgpipe import clock, create_app, installation
from imgpipe.config import load
from imgpipe.database.engine import db
from imgpipe.database.schema import upgrade
from tests.captions.provider import Provider, serve
from tests.factories import AppFactory
from tests.postgres import Postgres, running
from tests.sharing import offer_statements, share_rules, share_statements

# Nothing here asks a disk, and much would wait for one.
MEMORY, ROOM = Path("/dev/shm"), 4 * 2**30
if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

# A slow machine is no fault of the code; and CI says the same of the same code twice.
settings.register_profile("imgpipe", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("imgpipe")

share_rules()


class Client(FlaskClient):
    """Read answers to their end and close them, as a server does."""

    def open(self, *args: Any, buffered: bool = True, **kwargs: Any) -> TestResponse:
        return super().open(*args, buffered=buffered, **kwargs)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an SQLite file at the newest schema, migrated once, to be copied."""
    folder = tmp_path_factory.mktemp("migrated")
    app = create_app(load({"IMGPIPE_DATA_DIR": str(folder), "IMGPIPE_JOBS": "inline"}))
    with app.app_context():
        upgrade()
        db.engine.dispose()
    return folder / "imgpipe.db"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Return a private PostgreSQL server; skip, or fail on CI, where none is installed."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def template(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the name of a PostgreSQL database at the newest schema, migrated once, to be copied."""
    options = {"IMGPIPE_DATA_DIR": str(tmp_path_factory.mktemp("template")), "IMGPIPE_JOBS": "inline"}
    app = create_app(load(options | {"DATABASE_URL": postgres.create("template")}))
    with app.app_context():
        upgrade()
        db.engine.dispose()
    postgres.create("test", "template")
    return "template"


KEPT = {"tallies", "installation"}  # their rows come with the schema


def _empty(server: Postgres, template: str) -> None:
    """Make the database of the tests as good as new: emptied, which is quick, or else copied afresh."""
    tables = [table.name for table in reversed(db.metadata.sorted_tables) if table.name not in KEPT]
    delete = "; ".join(f"DELETE FROM {name}" for name in (*tables, "image_words"))
    zero = "UPDATE tallies SET total = 0, success = 0, failed = 0, worked_ms = 0, stored_bytes = 0"
    try:
        server.sql("test", f"{delete}; {zero}")
    except psycopg.errors.UndefinedTable:  # a test took it away
        server.drop("test")
        server.create("test", template)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the URL of an empty, migrated database: every test that touches one runs on both kinds."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated"), tmp_path / "imgpipe.db")
        yield f"sqlite:///{tmp_path / 'imgpipe.db'}"
        return
    template = request.getfixturevalue("template")
    server: Postgres = request.getfixturevalue("postgres")
    yield server.url("test")
    _empty(server, template)


@pytest.fixture
def make_app(tmp_path: Path, database_url: str) -> Iterator[AppFactory]:
    """Return a function that makes an app with inline jobs and the options given, over one data dir."""
    standard = {"IMGPIPE_DATA_DIR": str(tmp_path), "IMGPIPE_JOBS": "inline", "DATABASE_URL": database_url}
    made = []

    def make(**options: str) -> Flask:
        made.append(create_app(load(standard | options)))
        made[-1].test_client_class = Client
        with made[-1].app_context(), suppress(OSError, SQLAlchemyError):  # a test may want one away
            share_statements(db.engine)
            installation.establish()
            offer_statements(db.engine)
        return made[-1]

    yield make
    for app in made:
        app.extensions["imgpipe"].jobs.close()
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def provider() -> Iterator[Provider]:
    """Return a caption provider on loopback, which speaks OpenAI's and Hugging Face's wire formats."""
    with serve() as running:
        running.drip_s = 0.05
        yield running


class Clock:
    """The time that the service believes in: it stands still until a test moves it, either way."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def service_clock() -> Iterator[Clock]:
    """Return the clock that this process goes by for the length of a test."""
    stopped = Clock()
    clock.replace(stopped)
    yield stopped
    clock.replace(None)


@pytest.fixture
def app(make_app: AppFactory) -> Flask:
    """Return an app with inline jobs."""
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a client of an app with inline jobs: what it uploads is processed when the answer comes."""
    return app.test_client()
