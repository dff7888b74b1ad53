"""A start says what it serves, where, and out of which parts, and never a secret."""

from pathlib import Path

import pytest

from imgpipe.config import load
from imgpipe.startup import describe, link
from tests.servers import serving


@pytest.mark.parametrize("command", ["gunicorn wsgi:app", "python -u wsgi.py"])
def test_the_first_lines_name_address_database_storage_captioner_and_keys(
    tmp_path: Path, command: str
) -> None:
    with serving(tmp_path, command, IMGPIPE_API_KEYS="hunter2") as server:
        told = server.output.read_text()
    assert f"imgpipe serves {server.url}" in told
    assert f"sqlite:///{tmp_path}/imgpipe.db" in told
    assert f"{tmp_path}/media" in told
    assert "captioner: none" in told
    assert "API keys:  asked for" in told
    assert "hunter2" not in told


def test_passwords_are_left_out() -> None:
    settings = load({"DATABASE_URL": "postgresql://user:hunter2@host/name"})
    assert "hunter2" not in "".join(describe(settings))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:5000"),
        ("0.0.0.0", "http://127.0.0.1:5000"),
        ("::", "http://[::1]:5000"),
        ("::1", "http://[::1]:5000"),
        ("pictures.example", "http://pictures.example:5000"),
    ],
)
def test_the_address_can_be_clicked_wherever_the_server_listens(host: str, address: str) -> None:
    assert link(host, 5000) == address
