"""The rows of older installations move into blocks, and back, without a byte changing."""

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from imgpipe.database.engine import db
from imgpipe.database.schema import downgrade, upgrade
from tests.depths import ask, raw, small, store

ROWS = "0003"


def count(table: str) -> int:
    with db.engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def answers(client: FlaskClient) -> list[object]:
    """Return all that is known of the logs."""
    pixels = [raw(client, log=log).tolist() for log in ("a", "b")]
    as_uploaded = [
        raw(client, *bounds, log="a", pixels="source").tolist() for bounds in [(0, 1_999), (2_000, 9_999)]
    ]
    pages = [ask(client, log=log, limit=10_000).json for log in ("a", "b")]
    return [pixels, as_uploaded, pages, client.get("/api/frames/logs").json]


def test_rows_become_blocks_and_rows_again(app: Flask, client: FlaskClient) -> None:
    store(client, small([n / 2 for n in range(4_200)], width=5), "a")
    store(client, small([2_000, 2_000.5, 9_000.1], width=9), "a")
    store(client, small([2_001.5], width=9), "a")
    store(client, small([-1.5], width=300), "b")
    store(client, small([2_000 + n for n in range(100)], width=9), "a")
    store(client, small([2_000.5 + n for n in range(100)], width=9), "a")
    before = answers(client) if raw(client, log="b").size else []
    with app.app_context():
        db.engine.dispose()
        downgrade(ROWS)
        assert count("depth_rows") == 4_200 + 1 + 1
        upgrade()
        db.engine.dispose()
    assert answers(client) == before
    assert store(client, small([1, 5_000]), "a")["replaced"] == 1
