"""The running totals: a transaction keeps to one row of them, whatever it counts."""

from flask import Flask
from sqlalchemy import select

from imgpipe.database.engine import db, writing
from imgpipe.database.models import Tally
from imgpipe.pictures import tallies


def test_a_transaction_that_counts_often_locks_one_shard_only(app: Flask) -> None:
    with app.app_context():
        with writing(durable=False) as session:
            for _ in range(12):
                tallies.count(session, total=1)
        changed = db.session.execute(select(Tally.shard, Tally.total).where(Tally.total != 0)).all()
        assert [total for _, total in changed] == [12]
