"""Compare SQLite with PostgreSQL on the way of an upload, and a thousand rows with a million on both.

    python -m benchmarks.databases [ROWS]

Contenders take turns, so that the ratios hold even where the machine is busy. Starts a PostgreSQL of its own
from the installed binaries; needs requirements-test.txt. A million rows take a minute or two to be laid down.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from flask import Flask
from sqlalchemy import text

from imgpipe import create_app, installation
from imgpipe.config import load
from imgpipe.database.engine import db, writing
from imgpipe.database.schema import upgrade
from imgpipe.pictures import intake
from tests.factories import jpeg
from tests.postgres import Postgres, running

FEW, MANY = 1_000, 1_000_000
HOLDERS = 50  # pictures that have the word searched for
ROUNDS, UPLOADS, CLIENTS = 15, 60, 4
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


def medians_ms(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Time each once a round, after one round that does not count; return the medians, ms."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds + 1):
        for name, act in contenders.items():
            began = time.perf_counter()
            act()
            times[name].append((time.perf_counter() - began) * 1000)
    return {name: statistics.median(taken[1:]) for name, taken in times.items()}


def compare_uploads(apps: Mapping[str, Flask]) -> None:
    data = jpeg(1600, 1200)
    print(f"\n{UPLOADS} uploads of {len(data) // 1000} kB by {CLIENTS} threads, durable:")
    taken = medians_ms({name: partial(upload_many, app, data) for name, app in apps.items()}, ROUNDS)
    for name, value in taken.items():
        print(f"  {name:<12}{value / UPLOADS:8.2f} ms an upload")
    print(f"  PostgreSQL costs {taken['postgresql'] / taken['sqlite']:.2f} of SQLite (at most 1.3)")


def compare_sizes(few: Mapping[str, Flask], many: Mapping[str, Flask], rows: int) -> None:
    print(f"\n{FEW:,} rows and {rows:,} rows, whole requests, at most 2:")
    for kind in few:
        for title, path in ASKED.items():
            both = {"few": partial(ask, few[kind], path), "many": partial(ask, many[kind], path)}
            taken = medians_ms(both, 200)
            ratio = taken["many"] / taken["few"]
            print(f"  {kind:<12}{title:<22}{taken['few']:8.2f} ms {taken['many']:8.2f} ms {ratio:6.2f}")


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
