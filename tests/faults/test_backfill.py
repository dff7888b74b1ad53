"""A size is added to many pictures; over kills, under Celery, with the storage away: all get it, once."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests import redis
from tests.factories import png
from tests.servers import Server, run, serving
from tests.workers import working

pytestmark = pytest.mark.soak
PICTURES, PATIENCE_S = 30, 120
ADDED = {"IMGPIPE_THUMBNAILS": "small:128,medium:512,large:1280"}


class House:
    """A server and, with Celery, a worker, which end and begin together."""

    def __init__(self, server: Server, kill: Callable[[], None], start: Callable[[], object]) -> None:
        self.server = server
        self._kill = kill
        self._start = start

    def kill(self) -> None:
        """Kill everything, and start it again."""
        self._kill()
        self.server.kill()
        self.server.start()
        self._start()

    def seen(self) -> int:
        """Tell how many pictures were seen to."""
        rows = self.server.sql("SELECT seen FROM backfills")
        return int(rows[0][0]) if rows else 0

    def await_seen(self, count: int) -> None:
        """Wait until so many pictures were seen to."""
        deadline = time.monotonic() + PATIENCE_S
        while self.seen() < count:
            assert time.monotonic() < deadline, self.server.output.read_text()[-3000:]
            time.sleep(0.05)


@contextmanager
def by_threads(folder: Path) -> Iterator[House]:
    with serving(folder, **ADDED) as server:
        yield House(server, lambda: None, lambda: None)


@contextmanager
def by_celery(folder: Path) -> Iterator[House]:
    with redis.running() as broker:
        options = {"IMGPIPE_JOBS": "celery", "CELERY_BROKER_URL": broker.url, **ADDED}
        with (
            serving(folder, **options) as server,
            working(server.environ, folder / "worker.log") as worker,
        ):
            yield House(server, worker.kill, worker.start)


def take_storage_away(house: House) -> None:
    """Have the media folder gone for some seconds."""
    media = house.server.data_dir / "media"
    media.rename(media.with_name("away"))
    time.sleep(4)
    media.with_name("away").rename(media)


@pytest.mark.parametrize("blow", [House.kill, take_storage_away])
@pytest.mark.parametrize("engine", [by_threads, by_celery])
def test_every_picture_gets_the_added_size(
    tmp_path: Path, engine: Callable[[Path], AbstractContextManager[House]], blow: Callable[[House], None]
) -> None:
    picture = png(2000, 1500)
    with serving(tmp_path) as before:
        ids = before.upload_all(picture, PICTURES)
        before.await_all_done()
        before.stop()
    with engine(tmp_path) as house:
        for share in (0.1, 0.5):
            house.await_seen(int(PICTURES * share))
            blow(house)
        house.await_seen(PICTURES)
        assert {house.server.status(f"/api/images/{id}/thumbnails/large") for id in ids} == {200}
        kept = house.server.sql("SELECT count(*), count(DISTINCT key) FROM thumbnails GROUP BY image_id")
        assert kept == [(4, 4)] * PICTURES
        assert set(house.server.sql("SELECT status, crashes FROM images")) == {("success", 0)}
    assert run("flask --app wsgi doctor", tmp_path, **ADDED).returncode == 0
