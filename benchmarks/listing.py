"""Measure that the list and the statistics cost the same for a million pictures as for a thousand.

    python -m benchmarks.listing [ROWS]

Rows are written straight into an SQLite file; each request goes through the whole app, in this process.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import func, insert, select, update

from benchmarks.apps import fresh_app
from imgpipe.clock import utc_now
from imgpipe.database.engine import db, writing
from imgpipe.database.models import Image, Tally, position_of
from imgpipe.database.paging import _OLDER, _Place
from imgpipe.pictures import queue

FEW, MANY = 1_000, int(sys.argv[1]) if sys.argv[1:] else 1_000_000
LIMIT, ROUNDS, BLOCK = 50, 40, 20_000
FACTS = {"width": 4000, "height": 3000, "format": "jpg", "size_bytes": 1, "mode": "RGB", "orientation": 1}


def main() -> None:
    with tempfile.TemporaryDirectory() as few, tempfile.TemporaryDirectory() as many:
        apps = _filled(Path(few), FEW), _filled(Path(many), MANY)
        paths = [_paths(app, count) for app, count in zip(apps, (FEW, MANY), strict=True)]
        print(f"\n{'median ms a request':32}{FEW:>12,}{MANY:>12,}   times")
        for name in paths[0]:
            took_ms = _compare([(app, these[name]) for app, these in zip(apps, paths, strict=True)])
            _print(name, took_ms)
        _print("a look for work (not HTTP)", [_look_ms(app) for app in apps])
        for app in apps:
            with app.app_context():
                db.engine.dispose()


def _print(name: str, took_ms: list[float]) -> None:
    print(f"{name:32}{took_ms[0]:12.2f}{took_ms[1]:12.2f}{took_ms[1] / took_ms[0]:8.2f}")


def _paths(app: Flask, count: int) -> dict[str, str]:
    """Name what is asked for: page 10,000 is the one at the middle where the list is shorter."""
    with app.app_context():
        skipped = min(10_000 * LIMIT, count // 2)
        statement = select(Image.id).order_by(Image.id.desc()).offset(skipped).limit(1)
        place = _Place(_OLDER, db.session.scalars(statement).one())
    return {
        "page 1": f"/api/images?limit={LIMIT}",
        "page 10,000": f"/api/images?limit={LIMIT}&cursor={place.encode()}",
        "page 1 of the failed": f"/api/images?limit={LIMIT}&status=failed",
        "page 1 of the successful": f"/api/images?limit={LIMIT}&status=success",
        "statistics": "/api/stats",
    }


def _compare(requests: list[tuple[Flask, str]]) -> list[float]:
    """Ask the apps in turn; returns the median of each, ms."""
    clients = [(app.test_client(), path) for app, path in requests]
    took_ms: list[list[float]] = [[] for _ in clients]
    for _ in range(ROUNDS):
        for figures, (client, path) in zip(took_ms, clients, strict=True):
            began = time.perf_counter()
            answer = client.get(path)
            figures.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200, answer.text
    return [median(figures[3:]) for figures in took_ms]


def _look_ms(app: Flask) -> float:
    """Measure what idle workers ask four times a second, while half of all pictures wait."""
    with app.app_context():
        due = (
            select(Image.id)
            .order_by(Image.id)
            .limit(select(func.count() / 2).select_from(Image).scalar_subquery())
        )
        with writing(durable=False) as session:
            session.execute(
                update(Image)
                .where(Image.id.in_(due))
                .values(stage="render", due_at=utc_now(), status="processing")
            )
        figures = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            queue.due()
            figures.append((time.perf_counter() - began) * 1000)
    return median(figures)


def _filled(folder: Path, count: int) -> Flask:
    app = fresh_app(folder)
    began = time.perf_counter()
    with app.app_context(), writing(durable=False) as session:
        for start in range(0, count, BLOCK):
            session.execute(insert(Image), list(_rows(start, min(start + BLOCK, count))))
        failed = len(range(0, count, 10))
        tally = {"total": count, "failed": failed, "success": count - failed, "worked_ms": count * 50}
        session.execute(update(Tally).where(Tally.shard == 0).values(**tally))
    print(f"{count:,} rows written in {time.perf_counter() - began:.0f} s")
    return app


def _rows(start: int, end: int) -> Iterator[dict[str, Any]]:
    now = utc_now()
    born_ms = 1_700_000_000_000
    for number in range(start, end):
        id = UUID(int=(born_ms + number) << 80 | 7 << 76 | 2 << 62 | number)
        failed = number % 10 == 0
        yield {
            "id": id,
            "position": position_of(id),
            "original_name": f"photo_{number}.jpg",
            "original_key": f"originals/00/{id}.jpg",
            "format": "jpg",
            "sha256": f"{number:064x}",
            "size_bytes": 3_000_000,
            "status": "failed" if failed else "success",
            "facts": None if failed else FACTS,
            "exif": {},
            "worked_ms": 50,
            "processed_at": now,
            "changed_at": now,
            "caption_status": "skipped",
        }


if __name__ == "__main__":
    main()
