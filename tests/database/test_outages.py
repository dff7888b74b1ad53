"""A database that is away is told from a statement that is wrong by what the driver says."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import SQLAlchemyError, TimeoutError
from sqlalchemy.pool import QueuePool

from imgpipe.database.engine import db
from imgpipe.database.outages import is_away, reason
from imgpipe.database.sqlitefile import sqlite
from tests.postgres import Postgres, on_postgresql, on_sqlite


@pytest.fixture
def connection(app: Flask) -> Iterator[Connection]:
    with app.app_context(), db.engine.connect() as connection:
        yield connection


@contextmanager
def failing() -> Iterator[list[SQLAlchemyError]]:
    caught: list[SQLAlchemyError] = []
    with pytest.raises(SQLAlchemyError) as raised:
        yield caught
    caught.append(raised.value)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tallies SET WHERE shard = 1",
        "SELECT nothing FROM images",
        "SELECT * FROM nowhere",
        "INSERT INTO tallies (shard) VALUES (0)",
    ],
)
def test_a_statement_that_is_wrong_is_our_bug(connection: Connection, statement: str) -> None:
    with failing() as caught:
        connection.execute(text(statement))
    assert not is_away(caught[0])


def test_a_pool_that_has_no_connection_left_is_an_outage() -> None:
    pool = QueuePool(lambda: sqlite.connect(":memory:"), pool_size=1, max_overflow=0, timeout=0.01)
    held = pool.connect()
    with failing() as caught:
        pool.connect()
    held.close()
    assert isinstance(caught[0], TimeoutError)
    assert is_away(caught[0])


def _locked(connection: Connection) -> None:
    with db.engine.connect() as other:
        other.execute(text("PRAGMA busy_timeout = 0"))
        other.execute(text("UPDATE tallies SET total = 1"))


def _read_only(connection: Connection) -> None:
    connection.execute(text("PRAGMA query_only = 1"))
    connection.execute(text("UPDATE tallies SET total = 1"))


def _full(connection: Connection) -> None:
    connection.execute(text("PRAGMA max_page_count = 1"))
    connection.execute(text("CREATE TABLE more AS SELECT hex(randomblob(100000)) AS word"))


@on_sqlite
@pytest.mark.parametrize("meet", [_locked, _read_only, _full])
def test_sqlite_locked_read_only_or_full_is_an_outage(
    connection: Connection, meet: Callable[[Connection], None]
) -> None:
    if meet is _locked:
        connection.execute(text("UPDATE tallies SET total = 1"))
    with failing() as caught:
        meet(connection)
    assert is_away(caught[0])
    connection.invalidate()


def test_a_file_that_cannot_be_opened_is_an_outage(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'no' / 'a.db'}", module=sqlite)
    with failing() as caught:
        engine.connect()
    assert is_away(caught[0])
    assert reason(caught[0]) == "unable to open database file"


@on_postgresql
@pytest.mark.parametrize(
    "state", ["08006", "25006", "40001", "40P01", "53100", "53300", "55P03", "57014", "57P01", "58030"]
)
def test_what_postgresql_says_of_its_own_plight_is_an_outage(connection: Connection, state: str) -> None:
    with failing() as caught:
        connection.execute(text(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$"))
    assert is_away(caught[0])


@on_postgresql
def test_a_connection_that_the_server_ended_is_an_outage(connection: Connection, postgres: Postgres) -> None:
    pid = connection.scalar(text("SELECT pg_backend_pid()"))
    postgres.sql("test", f"SELECT pg_terminate_backend({pid})")
    with failing() as caught:
        connection.execute(text("SELECT 1"))
    assert is_away(caught[0])


def test_a_server_that_is_not_there_is_an_outage(tmp_path: Path) -> None:
    engine = create_engine(f"postgresql+psycopg://nobody@/none?host={tmp_path}")
    with failing() as caught:
        engine.connect()
    assert is_away(caught[0])


def test_any_other_error_is_no_outage_of_the_database() -> None:
    assert not is_away(ValueError())
    assert not is_away(OSError())
