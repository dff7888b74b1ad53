"""Two act at the same time, one in the very middle of the other's transaction."""

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import update

from imgpipe.clock import utc_now
from imgpipe.database.engine import db
from imgpipe.database.models import Image
from imgpipe.database.sqlitefile import sqlite
from imgpipe.jobs.protocol import Backlog
from imgpipe.pictures import queue
from tests.crash.service import Service
from tests.factories import png
from tests.postgres import Postgres, on_postgresql, on_sqlite

PATIENCE_S = 20


@pytest.fixture
def service(place: Path, database_url: str) -> Iterator[Service]:
    """Return a service over an empty folder."""
    (place / "data").mkdir()
    if database_url.startswith("sqlite"):
        shutil.copy(database_url.removeprefix("sqlite:///"), place / "data" / "imgpipe.db")
    given = {} if database_url.startswith("sqlite") else {"DATABASE_URL": database_url}
    running = Service(place, given)
    yield running.start()
    running.stop()


@contextlib.contextmanager
def before(service: Service, words: str, act: Callable[[], None]) -> Iterator[None]:
    """Act once, just before the first statement that begins with these words."""
    done: list[bool] = []

    def meet(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(words) and not done:
            done.append(True)
            act()

    with service.listening("before_cursor_execute", meet):
        yield
    assert done, f"there was no {words}"


@on_sqlite
def test_nobody_writes_between_what_a_transaction_reads_and_what_it_writes(service: Service) -> None:
    image_id = service.upload(png())

    def write() -> None:
        other = sqlite.connect(service.folder / "data" / "imgpipe.db", timeout=0)
        with contextlib.closing(other), contextlib.suppress(sqlite.OperationalError):
            other.execute("UPDATE tallies SET total = total + 1 WHERE shard = 0")
            other.commit()

    with before(service, "DELETE FROM images", write):
        service.delete(image_id)


@on_postgresql
def test_a_claim_passes_over_a_picture_that_somebody_else_is_about_to_claim(
    service: Service, postgres: Postgres
) -> None:
    first, second = service.upload(png(10, 10)), service.upload(png(11, 11))
    backlog: Backlog = vars(service.jobs)["_backlog"]
    with psycopg.connect(postgres.url("test")) as other:
        other.execute(
            "SET idle_in_transaction_session_timeout = '2s'"
        )  # else a claim that waits waits for ever
        other.execute("SELECT id FROM images WHERE id = %s FOR UPDATE", [UUID(first)])
        claim = backlog.claim(queue.RENDER)
        assert claim is not None
        assert str(claim.image_id) == second


@on_postgresql
def test_a_picture_that_is_deleted_while_its_work_ends_leaves_no_file(service: Service) -> None:
    image_id = service.upload(png())
    deletion = threading.Thread(target=service.delete, args=(image_id,))

    def begin() -> None:
        """Delete in the middle of the last transaction, and give that time to come as far as it gets."""
        deletion.start()
        deletion.join(0.5)

    with before(service, "INSERT INTO thumbnails", begin):
        service.work()
    deletion.join(PATIENCE_S)
    assert not deletion.is_alive()
    with service.app.app_context():
        keys = service.app.extensions["imgpipe"].storage.keys()
        assert [key for key, _ in keys if not key.startswith(".")] == []


def test_whose_lease_ran_out_changes_nothing_any_more(service: Service) -> None:
    service.upload(png())
    backlog: Backlog = vars(service.jobs)["_backlog"]
    late = backlog.claim(queue.RENDER)
    assert late is not None
    with service.app.app_context():
        db.session.execute(update(Image).values(due_at=utc_now()))
        db.session.commit()
    present = backlog.claim(queue.RENDER)
    assert present is not None
    backlog.release([late])
    backlog.renew([late])
    assert backlog.claim(queue.RENDER) is None
    backlog.run(late)
    with service.app.app_context():
        assert [image.status for image in db.session.query(Image)] == ["processing"]
        db.session.remove()
    backlog.release([present])
    backlog.renew([present])  # gives nobody's work a lease
    assert backlog.claim(queue.RENDER) is not None
