"""The migrations build exactly what the models describe, on an empty database and again on a full one."""

import re
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import inspect, text

from imgpipe import create_app
from imgpipe.config import load
from imgpipe.database.engine import db
from imgpipe.database.schema import downgrade, upgrade
from imgpipe.errors import SchemaTooNew
from tests.factories import AppFactory, jpeg, transparent_png, upload
from tests.postgres import on_sqlite


@pytest.fixture
def empty(tmp_path: Path) -> Flask:
    """Return an app over a database without any table."""
    return create_app(load({"IMGPIPE_DATA_DIR": str(tmp_path), "IMGPIPE_JOBS": "inline"}))


def tables() -> set[str]:
    return set(inspect(db.engine).get_table_names())


def test_migrated_tables_are_those_of_the_models(app: Flask) -> None:
    with app.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = [step for step in compare_metadata(context, db.metadata) if not _is_search_index(step)]
    assert found == []


def _is_search_index(step: object) -> bool:
    """Tell whether a difference is a table of the full-text index, which no model describes."""
    return re.search("remove_(table|index)", str(step)) is not None and "image_words" in str(step)


def test_upgrading_twice_changes_nothing_and_keeps_the_rows(client: FlaskClient, app: Flask) -> None:
    image_id = upload(client)
    with app.app_context():
        upgrade()
    assert client.get(f"/api/images/{image_id}").status_code == 200


@pytest.mark.parametrize("versions", [1, 3])
def test_an_upgrade_from_an_earlier_schema_keeps_all_that_was_there(
    client: FlaskClient, app: Flask, versions: int
) -> None:
    image_id = upload(client, jpeg(300, 200))
    upload(client, transparent_png())
    upload(client, jpeg(900, 900)[:9000])
    client.patch(f"/api/images/{image_id}", json={"caption": "A pier", "labels": ["sea", "old"]})
    client.post(f"/api/images/{image_id}/comments", json={"text": "Where?"})
    client.post("/api/frames?log=well", data=b"depth,a,b\n1.0,7,9\n2.0,3,255\n", content_type="text/csv")
    asked = [
        *("/api/images", "/api/images?label=sea", "/api/images?q=pier", "/api/labels", "/api/stats"),
        *("/api/frames/logs", "/api/frames?log=well&format=raw&pixels=source"),
        *(f"/api/images/{image_id}{tail}" for tail in ("", "/comments", "/original", "/thumbnails/small")),
    ]
    before = [client.get(path).data for path in asked]
    stored = [line for line in client.get("/metrics").text.splitlines() if "stored_bytes" in line]
    with app.app_context():
        db.session.remove()
        downgrade(f"-{versions}")
        db.engine.dispose()
        upgrade()
    assert [client.get(path).data for path in asked] == before
    assert [line for line in client.get("/metrics").text.splitlines() if "stored_bytes" in line] == stored


def test_every_migration_can_be_taken_back(empty: Flask) -> None:
    with empty.app_context():
        upgrade()
        assert "images" in tables()
        downgrade(revision="base")
        assert tables() <= {"alembic_version"}
        upgrade()
        assert "images" in tables()
        db.engine.dispose()


@on_sqlite
def test_a_connection_has_the_pragmas_that_the_promises_stand_on(make_app: AppFactory) -> None:
    pragmas = {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 30000}
    with make_app().app_context(), db.engine.connect() as connection:
        found = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in pragmas}
    assert found == pragmas


def test_a_schema_that_a_newer_version_made_is_refused_in_one_sentence(app: Flask) -> None:
    with app.app_context():
        with db.engine.begin() as connection:
            known = connection.scalar(text("SELECT version_num FROM alembic_version"))
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        try:
            with pytest.raises(SchemaTooNew) as raised:
                upgrade()
            told = app.test_cli_runner().invoke(args=["db", "upgrade"])
        finally:
            with db.engine.begin() as connection:
                connection.execute(text("UPDATE alembic_version SET version_num = :known"), {"known": known})
    assert "newer imgpipe" in raised.value.message
    assert told.exit_code == 1
    assert told.output.count("\n") == 1
