"""Compare SQLite with PostgreSQL on the way of an upload, and a thousand rows with a million on both.

    python -m benchmarks.databases [ROWS]

Contenders take turns, so that the ratios hold even where the machine is busy. Starts a PostgreSQL of its own
from the installed binaries; needs requirements-test.txt. A million rows take a minute or two to be laid down.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from flask import Flask
from sqlalchemy import text

from benchmarks.results import amount, in_turn, record
from imgpipe import create_app, installation
from imgpipe.config import load
from imgpipe.database.engine import db, writing
from imgpipe.database.schema import upgrade
from imgpipe.pictures import intake
from tests.factories import jpeg
from tests.postgres import Postgres, running

FEW, MANY = 1_000, amount(1_000_000, 5_000)
HOLDERS = 50  # pictures that have the word searched for
ROUNDS, UPLOADS, CLIENTS, ASKED_TIMES = amount(15, 2), amount(60, 8), 4, amount(200, 5)
ASKED = {
    "GET /api/images": "/api/images",
    "GET /api/stats": "/api/stats",
    "GET /metrics": "/metrics",
    f"search, {HOLDERS} matches": "/api/images?q=lighthouse",
}
EPOCH_MS = 1_700_000_000_000
IDS = {
    "sqlite": f"printf('%012x70008000%012x', {EPOCH_MS} + n, n)",
    "postgresql": f"(lpad(to_hex({EPOCH_MS} + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid",
}
NUMBERS = {
    "sqlite": "(WITH RECURSIVE up(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM up WHERE n < {last})"
    " SELECT n FROM up)",
    "postgresql": "(SELECT generate_series(0::bigint, {last}) AS n) AS up",
}
WORDS = {
    "sqlite": ("rowid", "{words}"),
    "postgresql": ("position", "array_to_tsvector(regexp_split_to_array({words}, ' '))"),
}

INTO_IMAGES = (
    "INSERT INTO images (id, position, original_name, original_key, format, sha256, size_bytes, status,"
    " caption_status, caption_calls, worked_ms, processed_at, changed_at, attempt, running, crashes)"
)
VALUES = (
    "'photo_' || n || '.jpg', 'originals/' || n, 'jpg', 'f' || n, 2048576, 'success', 'skipped', 0, 20,"
    " CURRENT_TIMESTAMP, CURRENT_TIMESTAMP, 1, false, 0"
)


def make_app(folder: Path, database_url: str = "") -> Flask:
    """Build an app whose workers never start, over a migrated database."""
    app = create_app(
        load({"IMGPIPE_DATA_DIR": str(folder), "DATABASE_URL": database_url, "IMGPIPE_LOG_LEVEL": "ERROR"})
    )
    with app.app_context():
        upgrade()
        installation.establish()
    return app


def make_apps(server: Postgres, folder: Path, name: str) -> dict[str, Flask]:
    sqlite, postgresql = folder / f"{name}-sqlite", folder / f"{name}-postgresql"
    return {"sqlite": make_app(sqlite), "postgresql": make_app(postgresql, server.create(name))}


def fill(app: Flask, rows: int) -> None:
    """Lay down finished pictures as so many uploads would have, by SQL alone."""
    with app.app_context():
        kind = db.engine.dialect.name
        numbers = NUMBERS[kind].format(last=rows - 1)
        words = f"'jpg photo ' || n || CASE WHEN n % {rows // HOLDERS} = 7 THEN ' lighthouse' ELSE '' END"
        key, value = WORDS[kind]
        positions = f"({EPOCH_MS} + n) << 15"
        with writing(durable=True) as session:
            session.execute(text(f"{INTO_IMAGES} SELECT {IDS[kind]}, {positions}, {VALUES} FROM {numbers}"))
            filled = f"SELECT {positions}, {value.format(words=words)} FROM {numbers}"
            session.execute(text(f"INSERT INTO image_words ({key}, words) {filled}"))
            session.execute(text(f"UPDATE tallies SET total = {rows}, success = {rows} WHERE shard = 0"))
        if kind == "postgresql":  # what its own vacuum would have done by and by
            with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM ANALYZE"))


def upload_many(app: Flask, data: bytes) -> None:
    def upload(number: int) -> None:
        with app.app_context():
            intake.take(data, f"photo_{number}.jpg", once=False)

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(upload, range(UPLOADS)))


def ask(app: Flask, path: str) -> None:
    response = app.test_client().get(path)
    assert response.status_code == 200, response.text
    response.close()


def timed_ms(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Time each once a round by the clock, after one round that does not count."""

    def timed(act: Callable[[], object]) -> float:
        began = time.perf_counter()
        act()
        return (time.perf_counter() - began) * 1000

    found = in_turn({name: partial(timed, act) for name, act in contenders.items()}, rounds + 1)
    return {name: taken[1:] for name, taken in found.items()}


def compare_uploads(apps: Mapping[str, Flask]) -> None:
    data = jpeg(1600, 1200)
    print(f"\n{UPLOADS} uploads of {len(data) // 1000} kB by {CLIENTS} threads, durable:")
    taken = timed_ms({name: partial(upload_many, app, data) for name, app in apps.items()}, ROUNDS)
    ours, theirs = taken["postgresql"], taken["sqlite"]
    record(
        f"{UPLOADS} uploads on PostgreSQL", ours, "ms", peer="SQLite", theirs=theirs, target=1.3, less=True
    )


def compare_sizes(few: Mapping[str, Flask], many: Mapping[str, Flask], rows: int) -> None:
    print(f"\n{FEW:,} rows and {rows:,} rows, whole requests:")
    for kind in few:
        for title, path in ASKED.items():
            both = {"few": partial(ask, few[kind], path), "many": partial(ask, many[kind], path)}
            taken = timed_ms(both, ASKED_TIMES)
            name = f"{title} of {rows:,}, {kind}"
            record(name, taken["many"], "ms", peer=f"of {FEW:,}", theirs=taken["few"], target=2, less=True)


def dispose(apps: Iterable[Flask]) -> None:
    for app in apps:
        app.extensions["imgpipe"].jobs.close()
        with app.app_context():
            db.engine.dispose()


def main(rows: int) -> None:
    with running() as server, tempfile.TemporaryDirectory() as name:
        fresh, few, many = (make_apps(server, Path(name), size) for size in ("fresh", "few", "many"))
        compare_uploads(fresh)
        for kind in few:
            fill(few[kind], FEW)
            began = time.perf_counter()
            fill(many[kind], rows)
            print(f"{kind}: {rows:,} rows laid down in {time.perf_counter() - began:.0f} s")
        compare_sizes(few, many, rows)
        dispose((*fresh.values(), *few.values(), *many.values()))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else MANY)
