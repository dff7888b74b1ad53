"""``keys``: made once shown, listed without themselves, and revoked in every process within a second."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from flask import Flask

from tests.cli.test_commands import call
from tests.postgres import on_sqlite
from tests.servers import Server, run, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("keys"), WEB_CONCURRENCY="2") as running:
        yield running


def keys(data_dir: Path, arguments: str) -> list[str]:
    end = run(f"flask --app wsgi keys {arguments}", data_dir)
    assert end.returncode == 0, end.stdout
    return end.stdout.splitlines()


def statuses(server: Server, **headers: str) -> set[int]:
    """Ask twenty times, each by a new connection, so that both processes answer."""
    return {
        requests.get(f"{server.url}/api/stats", headers=headers, timeout=10).status_code for _ in range(20)
    }


def test_a_key_works_at_once_and_is_void_in_every_process_a_second_after_its_end(server: Server) -> None:
    assert statuses(server) == {200}
    key = keys(server.data_dir, "create team-a --scope read --expires 90d")[-1]
    assert re.fullmatch(r"imgpipe_[\w-]{32,}", key)
    time.sleep(1)
    assert statuses(server) == {401}
    assert statuses(server, Authorization=f"Bearer {key}") == {200}
    assert re.search(r"team-a +read .* in force until \d{4}-", keys(server.data_dir, "list")[-1])
    keys(server.data_dir, "revoke team-a")
    time.sleep(1)
    assert statuses(server, Authorization=f"Bearer {key}") == {401}
    assert statuses(server) == {401}
    listed = keys(server.data_dir, "list")[-1]
    assert "revoked" in listed
    assert key not in listed
    assert key not in server.output.read_text() + (server.data_dir / "logs" / "app.log").read_text()


def test_the_key_stands_alone_on_the_last_line_of_stdout(app: Flask) -> None:
    result = call(app, "keys", "create", "camera", "--scope", "upload")
    assert result.exit_code == 0
    assert re.fullmatch(r"imgpipe_[\w-]{32,}\n", result.stdout)
    assert "cannot be shown again" in result.stderr


def test_a_second_key_of_a_name_is_refused_in_one_line(app: Flask) -> None:
    call(app, "keys", "create", "camera", "--scope", "upload")
    result = call(app, "keys", "create", "camera", "--scope", "all")
    assert result.exit_code == 1
    assert "revoke it" in result.stderr
    assert result.stdout == ""


def test_what_is_not_there_cannot_be_revoked(app: Flask) -> None:
    assert call(app, "keys", "revoke", "nobody").exit_code == 1
    assert call(app, "keys", "list").stdout == "No key was made yet.\n"


@on_sqlite
@pytest.mark.parametrize(
    "arguments",
    [
        ("name", "--scope", "write"),
        ("name",),
        ("two words", "--scope", "all"),
        ("", "--scope", "all"),
        ("x" * 101, "--scope", "all"),
        ("\x1b[2J", "--scope", "all"),
        ("name", "--scope", "all", "--expires", "0d"),
        ("name", "--scope", "all", "--expires", "90"),
        ("name", "--scope", "all", "--expires", "999999y"),
        ("name", "--scope", "all", "--expires", "-1d"),
    ],
)
def test_a_malformed_wish_makes_no_key(app: Flask, arguments: tuple[str, ...]) -> None:
    assert call(app, "keys", "create", *arguments).exit_code == 2
    assert call(app, "keys", "list").stdout == "No key was made yet.\n"
