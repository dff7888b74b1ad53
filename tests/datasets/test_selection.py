"""A walk through all pictures costs as much as there are, not as much as there are a page."""

from contextlib import closing
from typing import Any

import pytest
from flask import Flask

from imgpipe.database.engine import db
from imgpipe.datasets.selection import Selection, walk


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "chosen", [Selection(), Selection(labels=["a"]), Selection(q="sea"), Selection(status="failed")]
)
def test_a_page_is_read_along_an_index_and_nothing_is_sorted(app: Flask, chosen: Selection) -> None:
    statements: list[str] = []
    with app.app_context():
        with closing(db.engine.raw_connection()) as connection:  # the one that is lent next
            driver: Any = connection.driver_connection
            driver.set_trace_callback(statements.append)
        assert not list(walk(chosen))
        driver.set_trace_callback(None)
        (page,) = (statement for statement in statements if "LIMIT" in statement)
        plans = [row[-1] for row in driver.execute(f"EXPLAIN QUERY PLAN {page}")]
    assert plans
    assert not [line for line in plans if "TEMP B-TREE" in line or line == "SCAN images"]
