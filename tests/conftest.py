"""Make apps over a fresh data directory each, and clients for them."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from werkzeug.test import TestResponse

from imgpipe import create_app
from imgpipe.config import load
from imgpipe.extensions import db
from tests.captions.provider import Provider, serve
from tests.factories import AppFactory


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


@pytest.fixture
def make_app(tmp_path: Path, migrated: Path) -> Iterator[AppFactory]:
    """Return a function that makes an app with inline jobs and the options given, over one data dir."""
    shutil.copy(migrated, tmp_path / "imgpipe.db")
    made = []

    def make(**options: str) -> Flask:
        environ = {"IMGPIPE_DATA_DIR": str(tmp_path), "IMGPIPE_JOBS": "inline"} | options
        made.append(create_app(load(environ)))
        made[-1].test_client_class = Client
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


@pytest.fixture
def app(make_app: AppFactory) -> Flask:
    """Return an app with inline jobs."""
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a client of an app with inline jobs: what it uploads is processed when the answer comes."""
    return app.test_client()
