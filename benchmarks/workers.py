"""Compare Celery's workers with the threads: the same pictures, the same database, two at a time.

    python -m benchmarks.workers

Both render a backlog that is there when they start, in turn, round after round. The rate is taken from when
the first to when the last picture was done, so that starting costs neither of them. Needs redis-server and
requirements-scale.txt.
"""

import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.photos import jpeg, photo
from benchmarks.results import amount, in_turn, record
from imgpipe.database.sqlitefile import sqlite
from tests.redis import Redis, running
from tests.servers import run, serving
from tests.workers import working

PICTURES = amount(60, 8)
MP12 = (4000, 3000)
Drain = Callable[[Path, Redis], None]


def threads(folder: Path, redis: Redis) -> None:
    """Let two threads of one process empty the queue."""
    run("flask --app wsgi images process", folder, IMGPIPE_WORKERS="2")


def celery(folder: Path, redis: Redis) -> None:
    """Let one worker of two processes empty the queue."""
    with (
        serving(folder, WEB_CONCURRENCY="1", **by_celery(redis)) as server,
        working(server.environ, folder / "worker.log"),
    ):
        server.await_all_done()


def by_celery(redis: Redis) -> dict[str, str]:
    return {"IMGPIPE_JOBS": "celery", "CELERY_BROKER_URL": redis.url, "IMGPIPE_LEASE_S": "30"}


def main() -> None:
    pictures = [jpeg(photo(seed, MP12)) for seed in range(4)]
    with running() as redis, tempfile.TemporaryDirectory() as name:

        def drained(drain: Drain) -> float:
            folder = Path(name) / drain.__name__
            fill(folder, redis, pictures)
            drain(folder, redis)
            found = rate(folder)
            shutil.rmtree(folder)
            return found

        rates = in_turn({drain.__name__: partial(drained, drain) for drain in (threads, celery)})
    record("Celery's workers", rates["celery"], "/s", peer="the threads", theirs=rates["threads"], target=0.9)


def fill(folder: Path, redis: Redis, pictures: list[bytes]) -> None:
    """Upload to a server that nobody works for."""
    redis.tell("FLUSHALL")
    with serving(folder, WEB_CONCURRENCY="1", **by_celery(redis)) as server:
        for number in range(PICTURES):
            server.upload(pictures[number % len(pictures)])


def rate(folder: Path) -> float:
    """Return pictures a second from the first that was done to the last."""
    connection = sqlite.connect(folder / "imgpipe.db")
    first, last = connection.execute(
        "SELECT min(julianday(processed_at)), max(julianday(processed_at)) FROM images"
    ).fetchone()
    connection.close()
    return float((PICTURES - 1) / ((last - first) * 86400))


if __name__ == "__main__":
    main()
