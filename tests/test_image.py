"""No engine builds images here: these run what the Dockerfile says, with no more than it copies."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from imgpipe import config
from tests.compose import Container, Image, services
from tests.servers import ROOT, free_port

pytestmark = pytest.mark.system


@pytest.fixture
def image() -> Image:
    """Return what the Dockerfile says."""
    return Image()


@pytest.fixture
def container(image: Image, tmp_path: Path) -> Container:
    """Return a container that nothing runs in yet."""
    image.build(tmp_path / "app")
    places = {"HOST": "127.0.0.1", "PORT": str(free_port()), "IMGPIPE_DATA_DIR": str(tmp_path / "data")}
    return Container(tmp_path / "app", image.environ | places)


@pytest.fixture
def url(container: Container, image: Image, tmp_path: Path) -> Iterator[str]:
    """Return the address of the container, at work on the image's command, and well."""
    with container.started(image.command, image.health, tmp_path / "log"):
        yield f"http://127.0.0.1:{container.environ['PORT']}"


def test_what_is_copied_exists_and_nothing_else_is_sent_to_the_engine(image: Image) -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == set(image.sources)
    assert all((ROOT / source).exists() for source in image.sources)


def test_the_image_does_not_run_as_root(image: Image) -> None:
    verbs = [verb for verb, _ in image.last]
    assert ("USER", "imgpipe") in image.last
    assert verbs.index("USER") < verbs.index("CMD")


def test_a_container_has_all_that_it_serves(url: str) -> None:
    for path in ("/", "/static/index.html", "/api/docs", "/api/openapi.json", "/api/stats"):
        assert requests.get(url + path, timeout=10).ok


def test_a_container_in_which_nothing_serves_is_not_well(container: Container, image: Image) -> None:
    assert container.run(image.health).returncode == 1


def test_the_command_line_works_in_a_container(container: Container) -> None:
    for command in (["python", "init_db.py"], ["flask", "--app", "wsgi", "config"]):
        done = container.run(command)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file", ["compose.yaml", "compose.sqlite.yaml"])
def test_every_option_that_env_says_reaches_every_container_of_ours(file: str) -> None:
    fixed = {"HOST", "PORT", "IMGPIPE_DATA_DIR", "DATABASE_URL", "IMGPIPE_JOBS", "CELERY_BROKER_URL"}
    fixed |= {"IMGPIPE_STORAGE", "IMGPIPE_PROXY_HOPS", "IMGPIPE_ACCEL_PREFIX"}  # what the file itself decides
    options = {entry.metadata["variable"]: "1" for entry in config.entries()}
    needed = dict.fromkeys(("POSTGRES_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "x")
    ours = [name for name in services(file, **needed) if name in ("web", "worker", "captions")]
    assert ours
    for name in ours:
        environ = services(file, **needed, **options)[name].environ
        assert {option for option in options if environ.get(option) != "1"} <= fixed
