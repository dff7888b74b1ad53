"""Measure what one picture, one thumbnail and one depth row cost each part, for docs/scaling.md to multiply.

    python -m benchmarks.scale

A real gunicorn on a PostgreSQL of its own, behind nginx with the shipped configuration. Costs are CPU time,
bytes and transactions, not wall time, so they hold where the machine is busy. Needs requirements-test.txt.
"""

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import requests

from benchmarks.photos import jpeg, photo
from benchmarks.results import amount, record
from imgpipe.imaging.pipeline import run
from tests.compose import services
from tests.factories import jpeg as tiny
from tests.nginx import proxying
from tests.postgres import Postgres, running
from tests.servers import Server, serving

PHOTOS, TINY, THUMBNAILS, LOOKS_S = amount(60, 4), amount(600, 8), amount(2000, 8), amount(10, 1)
LOG_ROWS, LOG_WIDTH = amount(100_000, 2_000), 200
CLIENTS = 4
MP12 = (4000, 3000)
PICTURE_TABLES = ("images", "thumbnails", "image_words")


def main() -> None:
    photos = [jpeg(photo(seed, MP12)) for seed in range(4)]
    with tempfile.TemporaryDirectory() as name, ExitStack() as parts:
        folder = Path(name)
        postgres = parts.enter_context(running())
        service = parts.enter_context(serving(folder / "data", DATABASE_URL=postgres.create("scale")))
        shipped = services("compose.sqlite.yaml")["nginx"]
        upstream, media = f"127.0.0.1:{service.port}", folder / "data" / "media"
        url = parts.enter_context(
            proxying(shipped.environ, upstream, folder / "nginx", media, shipped.command)
        )
        meter = Meter(postgres, service)
        _measure_idling(meter)
        image_id = _measure_pictures(meter, url, photos)
        _measure_files(photos)
        _measure_rows(postgres, service)
        _measure_thumbnails(meter, service.url, url, image_id)
        _measure_depths(meter, url)


class Meter:
    """Read what the service and the database have used up so far."""

    def __init__(self, postgres: Postgres, service: Server) -> None:
        assert service.process is not None
        self._service = psutil.Process(service.process.pid)
        self._database = psutil.Process(int((postgres.data / "postmaster.pid").read_text().split()[0]))
        self.postgres = postgres

    @contextmanager
    def over(self, count: int, unit: str) -> Iterator[None]:
        """Print what each of ``count`` units costs that the block is about."""
        before = self._read()
        yield
        service_s, database_s, commits, wal = (
            after - earlier for after, earlier in zip(self._read(), before, strict=True)
        )
        record(f"{unit}: the service", [service_s / count * 1000], "ms of CPU")
        record(f"{unit}: PostgreSQL", [database_s / count * 1000], "ms of CPU")
        print(f"  {unit:44}{commits / count:8.1f} transactions{wal / count:10,.0f} bytes of log")

    def _read(self) -> tuple[float, ...]:
        time.sleep(1.1)  # PostgreSQL's own counters lag a second behind
        ((commits, wal),) = self.postgres.sql(
            "scale",
            "SELECT xact_commit, pg_current_wal_lsn() - '0/0'::pg_lsn"
            " FROM pg_stat_database WHERE datname = 'scale'",
        )
        return _cpu_s(self._service), _cpu_s(self._database), float(commits), float(wal)


def _cpu_s(process: psutil.Process) -> float:
    used_s = 0.0
    for one in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # then its parent has it on its account
            used_s += sum(one.cpu_times()[:4])
    return used_s


def _measure_idling(meter: Meter) -> None:
    with meter.over(LOOKS_S, "an idle second, 2 processes"):
        time.sleep(LOOKS_S)


def _measure_pictures(meter: Meter, url: str, photos: list[bytes]) -> str:
    def upload(number: int) -> str:
        form = {"file": (f"photo-{number}.jpg", photos[number % len(photos)])}
        return str(requests.post(f"{url}/api/images", files=form, timeout=60).json()["data"]["image_id"])

    with meter.over(PHOTOS, "a 12 MP photo, upload to success"):
        began = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as clients:
            ids = list(clients.map(upload, range(PHOTOS)))
        for image_id in ids:
            while _is_processing(url, image_id):
                pass
        took_s = time.perf_counter() - began
    print(f"  {PHOTOS / took_s:.1f} photos a second, clients, proxy and database on the same two cores")
    return ids[0]


def _is_processing(url: str, image_id: str) -> bool:
    answer = requests.get(f"{url}/api/images/{image_id}", params={"wait": 10}, timeout=60)
    return bool(answer.json()["data"]["status"] == "processing")


def _measure_files(photos: list[bytes]) -> None:
    original = sum(map(len, photos)) / len(photos)
    derived = sum(len(file.data) for data in photos for file in run(data).derivatives) / len(photos)
    print(f"  files of a photo: original {original / 1e6:.2f} MB, derived {derived / 1e3:.0f} kB")


def _measure_rows(postgres: Postgres, service: Server) -> None:
    before = _bytes_of_pictures(postgres)
    service.upload_all(tiny(64, 48), TINY)
    service.await_all_done()
    grown = _bytes_of_pictures(postgres) - before
    print(f"  rows and indexes of a picture: {grown / TINY:,.0f} bytes in PostgreSQL, without EXIF")


def _bytes_of_pictures(postgres: Postgres) -> int:
    sizes = [postgres.sql("scale", f"SELECT pg_total_relation_size('{table}')") for table in PICTURE_TABLES]
    return sum(int(size) for ((size,),) in sizes)


def _measure_thumbnails(meter: Meter, direct: str, through: str, image_id: str) -> None:
    for where, url in (("gunicorn alone", direct), ("nginx sends the file", through)):
        address = f"{url}/api/images/{image_id}/thumbnails/medium"

        def fetch(share: int, address: str = address) -> None:
            with requests.Session() as session:
                for _ in range(share):
                    assert session.get(address, timeout=60).ok

        with meter.over(THUMBNAILS, f"a thumbnail, {where}"), ThreadPoolExecutor(CLIENTS) as clients:
            list(clients.map(fetch, [THUMBNAILS // CLIENTS] * CLIENTS))


def _measure_depths(meter: Meter, url: str) -> None:
    names = ",".join(f"p{number}" for number in range(LOG_WIDTH))
    values = ",".join(str(number % 256) for number in range(LOG_WIDTH))
    csv = f"depth,{names}\n" + "".join(f"{row / 10},{values}\n" for row in range(LOG_ROWS))
    with meter.over(LOG_ROWS // 1000, f"1,000 depth rows of {LOG_WIDTH} pixels"):
        assert requests.post(f"{url}/api/frames", files={"file": ("a.csv", csv)}, timeout=600).ok
    ((size,),) = meter.postgres.sql("scale", "SELECT pg_total_relation_size('depth_pixels')")
    print(f"  a depth row: {size / LOG_ROWS:,.0f} bytes in PostgreSQL")


if __name__ == "__main__":
    main()
