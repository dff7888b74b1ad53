"""The whole of compose.yaml as processes: many pictures go through nginx, and each one ends well."""

import hashlib
import io
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from PIL import Image as Pillow

from imgpipe.config import entries, load
from imgpipe.storage.protocol import MARK
from tests import s3
from tests.captions.provider import Provider, serve
from tests.compose import Container, Image, find_program, services
from tests.factories import jpeg
from tests.nginx import proxying
from tests.postgres import Postgres
from tests.servers import ROOT, free_port

pytestmark = pytest.mark.system

PICTURES = 80
DATABASE = "compose"
FILES = ("compose.yaml", "compose.sqlite.yaml")
SECRETS = {name: f"{name}x" for name in ("POSTGRES_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}


@dataclass
class Site:
    """Everything at work, reached through nginx."""

    url: str
    objects_url: str
    postgres: Postgres
    provider: Provider
    checks: dict[str, tuple[Container, list[str]]]

    def get(self, path: str, **query: Any) -> requests.Response:
        """Ask the service."""
        answer = requests.get(self.url + path, params=query, timeout=60)
        assert answer.ok, answer.text
        return answer

    def upload(self, data: bytes) -> str:
        """Upload a picture, wait for its end, and return its id."""
        answer = requests.post(f"{self.url}/api/images", files={"file": ("a.jpg", data)}, timeout=60)
        assert answer.status_code == 202, answer.text
        image_id = str(answer.json()["data"]["image_id"])
        while self.get(f"/api/images/{image_id}", wait=5).json()["data"]["status"] == "processing":
            pass
        return image_id

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the database."""
        return self.postgres.sql(DATABASE, statement)


@pytest.fixture(scope="module")
def site(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return what compose.yaml runs, in folders that hold what the image does."""
    find_program("redis-server")
    folder = tmp_path_factory.mktemp("compose")
    redis_port, web_port = free_port(), free_port()
    with ExitStack() as running:
        objects, provider = running.enter_context(s3.running()), running.enter_context(serve())
        assert requests.put(f"{objects.url}/imgpipe", timeout=10).ok
        captioner = {"IMGPIPE_CAPTIONER": "openai", "IMGPIPE_CAPTION_URL": provider.openai_url}
        shipped = services("compose.yaml", OPENAI_API_KEY="key", **captioner, **SECRETS)
        places = {
            "DATABASE_URL": postgres.create(DATABASE),
            "CELERY_BROKER_URL": f"redis://127.0.0.1:{redis_port}/0",
            "AWS_ENDPOINT_URL": objects.url,
            "HOST": "127.0.0.1",
            "PORT": str(web_port),
            "IMGPIPE_DATA_DIR": str(folder / "data"),
        }
        image = Image()
        image.build(folder / "app")

        def start(name: str, command: list[str], health: list[str]) -> Container:
            container = Container(folder / "app", image.environ | shipped[name].environ | places)
            running.enter_context(container.started(command, health, folder / name))
            return container

        there = ["--port", str(redis_port), "--bind", "127.0.0.1", "--dir", str(folder)]
        redis = shipped["redis"]
        start("redis", redis.command + there, [*redis.health[:1], "-p", str(redis_port), *redis.health[1:]])
        start("web", image.command, image.health)
        workers = {name: start(name, shipped[name].command, ["true"]) for name in ("worker", "captions")}
        nginx = shipped["nginx"]
        upstream = f"127.0.0.1:{web_port}"
        proxy = proxying(nginx.environ, upstream, folder / "nginx", folder / "media", nginx.command)
        checks = {name: (container, shipped[name].health) for name, container in workers.items()}
        yield Site(running.enter_context(proxy), objects.url, postgres, provider, checks)


@pytest.fixture(scope="module")
def originals(site: Site) -> dict[str, bytes]:
    """Return many pictures, each of a width of its own, by the ids they were given."""
    pictures = [jpeg(140 + number, 100) for number in range(PICTURES)]
    with ThreadPoolExecutor(8) as clients:
        return dict(zip(clients.map(site.upload, pictures), pictures, strict=True))


def test_every_picture_is_a_success_and_was_worked_on_once(site: Site, originals: dict[str, bytes]) -> None:
    assert len(originals) == PICTURES
    rows = site.sql(
        "SELECT status, caption_status, running, stage, crashes, attempt, caption_calls FROM images"
    )
    assert len(rows) == PICTURES
    assert set(rows) == {("success", "done", False, None, 0, 2, 1)}  # a claim for pixels, one for the caption
    assert len(site.provider.posts) == PICTURES


def test_the_statistics_know_all_of_them(site: Site, originals: dict[str, bytes]) -> None:
    stats = site.get("/api/stats").json()["data"]
    assert (stats["total"], stats["success"], stats["failed"]) == (PICTURES, PICTURES, 0)
    assert (stats["success_rate"], stats["processing"]) == (100.0, 0)


def test_a_walk_through_the_list_meets_each_once(site: Site, originals: dict[str, bytes]) -> None:
    met, path = [], "/api/images?limit=30"
    while path:
        page = site.get(path).json()
        met += [image["image_id"] for image in page["data"]]
        path = page["next"]
    assert met == sorted(originals, reverse=True)


def test_the_object_store_holds_each_file_and_nothing_else(site: Site, originals: dict[str, bytes]) -> None:
    listed = requests.get(f"{site.objects_url}/imgpipe?list-type=2&max-keys=1000", timeout=10).text
    keys = [key for key in re.findall("<Key>media/([^<]*)</Key>", listed) if key != MARK]
    rows = site.sql("SELECT original_key FROM images UNION ALL SELECT key FROM thumbnails")
    assert sorted(keys) == sorted(key for (key,) in rows)
    assert len(keys) == 4 * PICTURES


def test_every_thumbnail_and_original_comes_through_nginx(site: Site, originals: dict[str, bytes]) -> None:
    def check(image_id: str) -> None:
        image = f"/api/images/{image_id}"
        small = site.get(f"{image}/thumbnails/small")
        assert small.headers["Content-Type"] == "image/jpeg"
        assert small.headers["ETag"] == f'"{hashlib.sha256(small.content).hexdigest()[:32]}"'
        assert small.headers["Cache-Control"] == "private, max-age=31536000, immutable"
        assert small.headers["X-Content-Type-Options"] == "nosniff"
        assert max(Pillow.open(io.BytesIO(small.content)).size) == 128
        assert Pillow.open(io.BytesIO(site.get(f"{image}/thumbnails/square").content)).size == (512, 512)
        assert site.get(f"{image}/original").content == originals[image_id]

    with ThreadPoolExecutor(4) as clients:
        list(clients.map(check, originals))


@pytest.mark.parametrize("name", ["worker", "captions"])
def test_a_worker_says_that_it_is_well(site: Site, originals: dict[str, bytes], name: str) -> None:
    container, health = site.checks[name]
    assert "1 node online" in container.run(health).stdout


@pytest.mark.parametrize("file", FILES)
def test_what_a_compose_file_gives_the_service_is_a_configuration(file: str, tmp_path: Path) -> None:
    for name, service in services(file, **SECRETS).items():
        if name in ("web", "worker", "captions"):
            load(service.environ | {"IMGPIPE_DATA_DIR": str(tmp_path)})


def test_no_secret_has_a_default() -> None:
    for name in SECRETS:
        with pytest.raises(KeyError, match=name):
            services("compose.yaml", **{other: "x" for other in SECRETS if other != name})


@pytest.mark.parametrize("file", FILES)
def test_every_service_restarts_is_watched_and_waits_for_what_it_needs(file: str) -> None:
    content = yaml.safe_load((ROOT / file).read_text())
    for name, service in content["services"].items():
        assert service["restart"] == "unless-stopped"
        assert "healthcheck" in service or name == "web"  # whose image has one
        assert all(need["condition"] == "service_healthy" for need in service.get("depends_on", {}).values())


@pytest.mark.parametrize("file", FILES)
def test_what_is_mounted_exists(file: str) -> None:
    content = yaml.safe_load((ROOT / file).read_text())
    for service in content["services"].values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in content["volumes"]


def test_the_numbers_in_the_text_are_the_defaults() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", (ROOT / "docs" / "scaling.md").read_text(), re.MULTILINE)
    options = {entry.metadata["variable"]: str(entry.default) for entry in entries()}
    for name, default in rows:
        shipped = re.findall(rf"\$\{{{name}:-(\d+)\}}", (ROOT / "compose.yaml").read_text())
        assert default in (options.get(name), *shipped)
    assert len(rows) == 7
