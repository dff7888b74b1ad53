"""RabbitMQ carries the messages as Redis does, and two workers of one name are told apart or told off."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.captions.provider import Provider
from tests.factories import png
from tests.rabbitmq import RabbitMQ, running
from tests.servers import Server, serving
from tests.workers import Worker, working

# As the README prints them.
RENDER = ("-n", "render@%h", "-Q", "render", "-c", "1")
CAPTION = ("-n", "caption@%h", "-Q", "caption,webhook", "-P", "threads", "-c", "8")


@pytest.fixture(scope="module")
def rabbitmq() -> Iterator[RabbitMQ]:
    with running() as node:
        yield node


@pytest.fixture
def server(rabbitmq: RabbitMQ, provider: Provider, tmp_path: Path) -> Iterator[Server]:
    jobs = {"IMGPIPE_JOBS": "celery", "CELERY_BROKER_URL": rabbitmq.url}
    captions = {"OPENAI_API_KEY": "sk-test", "IMGPIPE_CAPTION_URL": provider.openai_url}
    with serving(tmp_path, WEB_CONCURRENCY="1", **jobs, **captions) as server:
        yield server


def test_a_picture_is_rendered_and_captioned_and_a_second_worker_of_a_name_says_why_it_ends(
    server: Server, tmp_path: Path
) -> None:
    with (
        working(server.environ, tmp_path / "render.log", *RENDER),
        working(server.environ, tmp_path / "caption.log", *CAPTION),
    ):
        image_id = server.upload(png(40, 30))
        server.await_all_done(120)
        image = server.get(f"/api/images/{image_id}")
        assert (image["status"], image["caption_status"]) == ("success", "done")
        second = Worker(server.environ, tmp_path / "second.log", *RENDER)
        assert second.end() == 1
        told = second.output.read_text()
        assert "another worker is called render@" in told
        assert "Traceback" not in told
