"""A walk through all pictures costs as much as there are, not as much as there are a page."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from imgpipe.database.engine import db
from imgpipe.datasets.selection import Selection, walk


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "chosen", [Selection(), Selection(labels=["a"]), Selection(q="sea"), Selection(status="failed")]
)
def test_a_page_is_read_along_an_index_and_nothing_is_sorted(app: Flask, chosen: Selection) -> None:
    plans: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if "LIMIT" in statement:
            plan = connection.connection.driver_connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            plans.extend(row[-1] for row in plan)

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", explain)
        assert not list(walk(chosen))
    assert plans
    assert not [line for line in plans if "TEMP B-TREE" in line or line == "SCAN images"]
