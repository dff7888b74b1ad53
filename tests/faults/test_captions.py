"""Fifteen ways in which a provider fails, twenty-five pictures each, against the real server."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.captions.provider import SENTENCE, Provider, serve
from tests.factories import jpeg
from tests.servers import Server, free_port, serving

KEY = "sk-proj-4mZq8Wv2Lr7Xc1Tn6Yb3Hd9"
PICTURES = 16
CALLS = 3
STAGE_S = 60
BODY_BYTES = 2**20
SOCKET_BYTES = 6 * 2**20  # what the two sockets' buffers hold of a body that nobody reads

# name of the fault, the code told on the picture, whether another call may follow
FAULTS = [
    ("hang", "timeout"),
    ("drip_body", "timeout"),
    ("status_500", "upstream_error"),
    ("rate_limit_1", "rate_limited"),
    ("rate_limit_99999", "rate_limited"),
    ("insufficient_quota", "quota_exhausted"),
    ("invalid_json", "invalid_answer"),
    ("nan", "invalid_answer"),
    ("html", "invalid_answer"),
    ("gigabyte", "invalid_answer"),
    ("empty", "empty"),
    ("redirect", "config_error"),
    ("shape_list", "invalid_answer"),
    ("shape_object", "invalid_answer"),
    ("shape_string", "invalid_answer"),
    ("shape_null", "invalid_answer"),
    ("repeat_key", "auth_error"),
]
PERMANENT = {"insufficient_quota", "repeat_key"}


def options(provider: Provider, **more: str) -> dict[str, str]:
    chosen = {
        "IMGPIPE_CAPTIONER": "openai",
        "OPENAI_API_KEY": KEY,
        "IMGPIPE_CAPTION_URL": provider.openai_url,
        "IMGPIPE_CAPTION_TIMEOUT_S": "1",
        "IMGPIPE_CAPTION_WORKERS": "8",
    }
    return chosen | more


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with serve() as running:
        running.drip_s = 1.0
        yield running


@pytest.fixture(scope="module")
def server(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("captions"), **options(provider)) as running:
        yield running


def upload_all(server: Server, name: str) -> list[str]:
    """Upload pictures that no caption is known for."""
    return [server.upload(jpeg(200 + number, 100 + len(name)), f"{name}.jpg") for number in range(PICTURES)]


def ended(server: Server, image_id: str) -> dict[str, Any]:
    image: dict[str, Any] = {"status": "processing"}
    deadline = time.monotonic() + STAGE_S + 10
    while image["status"] == "processing" and time.monotonic() < deadline:
        image = server.get(f"/api/images/{image_id}", wait=20)
    return image


def told(server: Server, images: list[dict[str, Any]]) -> str:
    log = (server.data_dir / "logs/app.log").read_text() + server.output.read_text()
    stored = b"".join(path.read_bytes() for path in server.data_dir.glob("imgpipe.db*"))
    return log + json.dumps(images) + stored.decode("latin-1")


@pytest.mark.parametrize(("fault", "code"), FAULTS, ids=[fault for fault, _ in FAULTS])
def test_a_provider_that_fails_costs_the_caption_only(
    server: Server, provider: Provider, fault: str, code: str
) -> None:
    provider.fault, provider.bytes_sent = fault, 0
    before = len(provider.posts)
    ids = upload_all(server, fault)
    images = [ended(server, image_id) for image_id in ids]
    calls = len(provider.posts) - before
    assert {image["status"] for image in images} == {"success"}
    assert {image["caption"] for image in images} == {None}
    codes = {image["caption_error"]["code"] for image in images}
    assert all(image["caption_error"]["message"] for image in images)
    assert calls <= CALLS * PICTURES
    if fault in PERMANENT:
        assert codes <= {code, "paused"}
        assert calls < PICTURES  # those under way when the first one learned of it
        resume(server, provider, ids[0])
    else:
        assert codes <= {code, "timeout"}
    for image_id in ids:
        for name in ("small", "medium", "square"):
            assert requests.get(f"{server.url}/api/images/{image_id}/thumbnails/{name}", timeout=30).ok
    assert provider.bytes_sent <= calls * (BODY_BYTES + SOCKET_BYTES)
    text = told(server, images)
    assert KEY not in text
    assert KEY[8:-4] not in text
    assert "base64," not in text


def resume(server: Server, provider: Provider, image_id: str) -> None:
    """Mend the fault and ask again for one picture, which ends the pause."""
    provider.fault = ""
    assert requests.post(f"{server.url}/api/images/{image_id}/retry", timeout=30).status_code == 202
    assert ended(server, image_id)["caption"] == SENTENCE


def test_a_refused_connection_costs_the_caption_only(tmp_path: Path) -> None:
    nowhere = Provider(url=f"http://127.0.0.1:{free_port()}")
    with serving(tmp_path, **options(nowhere)) as server:
        images = [ended(server, image_id) for image_id in upload_all(server, "refused")]
    assert {image["status"] for image in images} == {"success"}
    assert {image["caption_error"]["code"] for image in images} == {"network_error"}


@pytest.mark.parametrize("fault", ["unprintable", "megabyte", "script"])
def test_a_strange_caption_is_kept_as_text(server: Server, provider: Provider, fault: str) -> None:
    provider.fault = fault
    images = [ended(server, image_id) for image_id in upload_all(server, fault)]
    expected = {"unprintable": "A dog runs", "megabyte": "a" * 1000, "script": "<script>alert(1)</script>"}
    assert {image["caption"] for image in images} == {expected[fault]}


def test_a_slow_captioner_never_delays_a_thumbnail(tmp_path: Path, provider: Provider) -> None:
    """A hundred uploads with a captioner that never answers in time: all thumbnails are there long before."""
    provider.fault = "hang"
    with serving(tmp_path, **options(provider, IMGPIPE_CAPTION_TIMEOUT_S="10")) as server:
        ids = [server.upload(jpeg(300 + number, 200)) for number in range(100)]
        deadline = time.monotonic() + 30
        for image_id in ids:
            url = f"{server.url}/api/images/{image_id}/thumbnails/square"
            while not requests.get(url, timeout=30).ok:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert server.get("/api/stats")["processing"] == 100
