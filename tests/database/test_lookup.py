"""A look-up past SQLAlchemy finds the same, leaves no transaction open, and meets outages like SQLAlchemy."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, bindparam, event, select, text
from sqlalchemy.exc import SQLAlchemyError

from imgpipe.database.engine import db, writing
from imgpipe.database.lookup import Lookup
from imgpipe.database.models import Image, Tally
from imgpipe.database.outages import is_away
from tests.factories import upload
from tests.postgres import Postgres, on_postgresql, on_sqlite

NAME = Lookup(select(Image.original_name, Image.size_bytes).where(Image.id == bindparam("id")))
TOTAL = Lookup(select(Tally.total).where(Tally.shard == bindparam("shard")))


@contextmanager
def listened(engine: Engine) -> Iterator[list[str]]:
    """Note the statements that go through SQLAlchemy for the length of a block."""
    statements: list[str] = []

    def note(*told: Any) -> None:
        statements.append(told[2])

    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


def test_it_finds_the_row_of_an_id_or_none(app: Flask, client: FlaskClient) -> None:
    id = UUID(upload(client))
    with app.app_context():
        image = db.session.get_one(Image, id)
        assert tuple(NAME.find(id=id) or ()) == (image.original_name, image.size_bytes)
        assert NAME.find(id=uuid4()) is None


def test_a_value_in_several_places_and_columns_of_any_type_are_translated_without_sqlalchemy(
    app: Flask, client: FlaskClient
) -> None:
    id = UUID(upload(client))
    asked = bindparam("id", type_=Image.id.type)
    statement = select(*Image.__table__.columns).where(Image.id.between(asked, asked), Image.size_bytes > 0)
    with app.app_context():
        expected = db.session.execute(statement, {"id": id}).one()
        with listened(db.engine) as statements:
            (found,) = Lookup(statement).find_all(db.engine, {"id": id})
    assert tuple(found) == tuple(expected)
    assert statements == []


def test_it_sees_what_was_committed_a_moment_ago_and_keeps_no_connection(app: Flask) -> None:
    with app.app_context():
        for total in (1, 2):
            with writing(durable=False) as session:
                session.get_one(Tally, 0).total = total
            assert tuple(TOTAL.find(shard=0) or ()) == (total,)
            assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_what_is_rolled_back_behind_it_on_the_same_connection_is_gone(app: Flask) -> None:
    with app.app_context():
        before = TOTAL.find(shard=0)
        with db.engine.connect() as connection:
            connection.execute(text("UPDATE tallies SET total = 7 WHERE shard = 0"))
            connection.rollback()
        assert TOTAL.find(shard=0) == before


@on_sqlite
@pytest.mark.parametrize("replaced", [False, True], ids=["gone", "replaced"])
def test_a_file_that_is_gone_or_replaced_is_an_outage_until_it_is_back(
    app: Flask, tmp_path: Path, replaced: bool
) -> None:
    file, elsewhere = tmp_path / "imgpipe.db", tmp_path / "elsewhere.db"
    with app.app_context():
        before = TOTAL.find(shard=0)
        file.rename(elsewhere)
        if replaced:
            file.write_bytes(elsewhere.read_bytes())
        for _ in range(2):
            with pytest.raises(SQLAlchemyError) as raised:
                TOTAL.find(shard=0)
            assert is_away(raised.value)
        elsewhere.rename(file)
        assert TOTAL.find(shard=0) == before


@on_postgresql
def test_a_connection_that_was_lost_is_replaced_while_it_asks(app: Flask, postgres: Postgres) -> None:
    with app.app_context():
        before = TOTAL.find(shard=0)
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'imgpipe'"
        event.listen(db.engine, "checkout", lambda *_: postgres.sql("test", cut), once=True)
        assert TOTAL.find(shard=0) == before


def test_a_database_that_cannot_be_reached_is_waited_for_once(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise db.engine.dialect.loaded_dbapi.OperationalError("nobody answers")

    with app.app_context(), listened(db.engine) as statements:
        monkeypatch.setattr(db.engine.pool, "lend", refuse)
        with pytest.raises(SQLAlchemyError) as raised:
            TOTAL.find(shard=0)
    assert is_away(raised.value)
    assert statements == []


def test_a_statement_that_is_wrong_is_told_by_sqlalchemy(app: Flask) -> None:
    wrong = Lookup(select(text("nothing")).select_from(Tally))
    with app.app_context(), pytest.raises(SQLAlchemyError) as raised:
        wrong.find()
    assert not is_away(raised.value)


def test_its_connections_are_those_of_transactions_and_come_back_as_they_were(app: Flask) -> None:
    with app.app_context():
        db.engine.dispose()
        assert TOTAL.find(shard=0) == TOTAL.find(shard=0)
        assert db.engine.pool.checkedin() == 1  # type: ignore[attr-defined]
        with writing(durable=False) as session:
            session.get_one(Tally, 0).total = 1
            session.flush()
            session.rollback()
        assert db.engine.pool.checkedin() == 1  # type: ignore[attr-defined]
        assert tuple(TOTAL.find(shard=0) or ()) == (0,)
