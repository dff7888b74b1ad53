"""Measure that the list and the statistics cost the same for a million pictures as for a thousand.

    python -m benchmarks.listing [ROWS]

Rows are written straight into an SQLite file; each request goes through the whole app, in this process.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import func, insert, select, update

from benchmarks.apps import fresh_app
from benchmarks.results import amount, in_turn, record
from imgpipe.clock import utc_now
from imgpipe.database.engine import db, writing
from imgpipe.database.models import Image, Tally, position_of
from imgpipe.database.paging import _OLDER, _Place
from imgpipe.pictures import queue

FEW, MANY = 1_000, int(sys.argv[1]) if sys.argv[1:] else amount(1_000_000, 5_000)
LIMIT, ROUNDS, BLOCK = 50, amount(40, 5), 20_000
FACTS = {"width": 4000, "height": 3000, "format": "jpg", "size_bytes": 1, "mode": "RGB", "orientation": 1}


def main() -> None:
    with tempfile.TemporaryDirectory() as few, tempfile.TemporaryDirectory() as many:
        apps = _filled(Path(few), FEW), _filled(Path(many), MANY)
        paths = [_paths(app, count) for app, count in zip(apps, (FEW, MANY), strict=True)]
        print("\nwhole requests, of rounds in turn")
        for name in paths[0]:
            asked = [partial(_answer_ms, app, these[name]) for app, these in zip(apps, paths, strict=True)]
            _record(name, dict(zip(("few", "many"), asked, strict=True)))
        looks = {"few": partial(_look_ms, apps[0]), "many": partial(_look_ms, apps[1])}
        for app in apps:
            _leave_half_to_do(app)
        _record("a look for work (not HTTP)", looks)
        for app in apps:
            with app.app_context():
                db.engine.dispose()


def _record(name: str, measures: Mapping[str, Callable[[], float]]) -> None:
    for measure in measures.values():
        measure()  # the first compiles its statements
    took_ms = in_turn(measures, ROUNDS)
    title = f"{name} of {MANY:,} pictures"
    record(
        title, took_ms["many"], "ms of CPU", peer=f"of {FEW:,}", theirs=took_ms["few"], target=2, less=True
    )


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


def _answer_ms(app: Flask, path: str) -> float:
    began = time.process_time()
    answer = app.test_client().get(path)
    took_ms = (time.process_time() - began) * 1000
    assert answer.status_code == 200, answer.text
    return took_ms


def _leave_half_to_do(app: Flask) -> None:
    with app.app_context():
        half = select(func.count() / 2).select_from(Image).scalar_subquery()
        due = select(Image.id).order_by(Image.id).limit(half)
        waiting = {"stage": "render", "due_at": utc_now(), "status": "processing"}
        with writing(durable=False) as session:
            session.execute(update(Image).where(Image.id.in_(due)).values(waiting))


def _look_ms(app: Flask) -> float:
    """Measure what idle workers ask four times a second."""
    with app.app_context():
        began = time.process_time()
        queue.due()
        return (time.process_time() - began) * 1000


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
