"""Real pictures through the door: known sizes for the good, a reason for the broken, plain JSON for all."""

import json
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from tests.corpus import CORPUS, MARKS, Entry, entries
from tests.factories import post
from tests.postgres import on_sqlite

pytestmark = MARKS


def strict(response: TestResponse) -> dict[str, Any]:
    """Parse an answer as the strictest reader would."""
    text = response.get_data().decode("utf-8", "strict")
    assert response.status_code < 500, text
    assert "\\u0000" not in text
    body: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    assert json.dumps(body, ensure_ascii=False).encode()  # a lone surrogate could not be encoded
    return body


def send(client: FlaskClient, entry: Entry) -> tuple[int, dict[str, Any]]:
    """Upload a file; returns the status and, once it is processed, the picture or the refusal."""
    path = CORPUS / entry["file"]
    response = post(client, path.read_bytes(), path.name)
    body = strict(response)
    if response.status_code != 202:
        return response.status_code, body
    image: dict[str, Any] = strict(client.get(f"/api/images/{body['data']['image_id']}"))["data"]
    return 202, image


def size_of(client: FlaskClient, url: str) -> list[int]:
    response = client.get(url)
    assert response.status_code == 200
    return list(Image.open(BytesIO(response.data)).size)


def faults(client: FlaskClient, entry: Entry) -> list[str]:
    status, image = send(client, entry)
    if status != 202 or image["status"] != "success":
        return [f"{status}: {image}"]
    sizes = {name: size_of(client, url) for name, url in image["thumbnails"].items()}
    metadata = image["metadata"]
    checks = {
        "small": sizes["small"] == entry["small"],
        "medium": sizes["medium"] == entry["medium"],
        "square": sizes["square"] == [512, 512],
        "upright": [metadata["width"], metadata["height"]] == entry["oriented_size"],
        "format": metadata["format"] == entry["format"],
        "bytes": metadata["size_bytes"] == entry["bytes"],
        "sha256": image["sha256"] == entry["sha256"],
    }
    return [name for name, good in checks.items() if not good]


@on_sqlite  # tests/test_both_databases.py finds the answers of PostgreSQL the same
def test_every_good_picture_comes_out_in_exactly_the_known_sizes(client: FlaskClient) -> None:
    good = entries("must_succeed")
    found = {entry["file"]: wrong for entry in good if (wrong := faults(client, entry))}
    assert (len(good), found) == (796, {})
    totals = strict(client.get("/api/stats"))["data"]
    assert (totals["total"], totals["success"], totals["success_rate"]) == (796, 796, 100.0)
    walked, url = 0, "/api/images?limit=100"
    while url:
        listed = strict(client.get(url))
        walked, url = walked + len(listed["data"]), listed["next"]
    assert walked == 796


def test_every_broken_picture_is_refused_or_fails_with_a_reason(client: FlaskClient) -> None:
    broken = entries("must_fail")
    for entry in broken:
        status, body = send(client, entry)
        if status == 202:
            assert (body["status"], bool(body["error"])) == ("failed", True), entry["file"]
        else:
            assert status in (400, 413), entry["file"]
            assert body["error"], entry["file"]
    assert len(broken) == 15


def test_a_picture_that_decoders_disagree_on_ends_cleanly(client: FlaskClient) -> None:
    for entry in entries("either"):
        status, body = send(client, entry)
        assert status in (202, 400, 413), entry["file"]
        assert status != 202 or body["status"] in ("success", "failed"), entry["file"]
