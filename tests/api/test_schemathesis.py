"""schemathesis finds nothing: every answer of every route, with keys and without, is as it is described."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import Postgres
from tests.servers import ROOT, Server, serving

pytestmark = pytest.mark.system

KEY = "key-of-the-generated-requests"
QUICK = ("--phases", "examples,fuzzing", "--max-examples", "3", "--seed", "1")
LONG = ("--max-examples", "50")
long = pytest.mark.timeout(3600)


def findings(server: Server, folder: Path, *arguments: str, key: str = "") -> None:
    """Send what schemathesis makes of the description; fail with all that it finds."""
    config = folder / "schemathesis.toml"
    config.write_text(
        'hooks = "tests.api.schemathesis_hooks"\nsuppress-health-check = ["all"]\n'
        'continue-on-failure = true\nrequest-timeout = 60\n[generation]\ndatabase = "none"\n'
        + (f"[auth.openapi.bearer]\nbearer = {json.dumps(key)}\n" if key else "")
    )
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            f"--config-file={config}",
            "run",
            f"{server.url}/api/openapi.json",
            *arguments,
            "--warnings=off",
        ],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("open"), IMGPIPE_LOG_LEVEL="WARNING") as server:
        yield server


@pytest.fixture(scope="module")
def shut_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = {"IMGPIPE_API_KEYS": KEY, "IMGPIPE_PUBLIC_DOCS": "true", "IMGPIPE_LOG_LEVEL": "WARNING"}
    with serving(tmp_path_factory.mktemp("shut"), **options) as server:
        yield server


def test_with_a_key_it_finds_nothing(shut_server: Server, tmp_path: Path) -> None:
    findings(shut_server, tmp_path, *QUICK, key=KEY)


@pytest.mark.soak
@long
@pytest.mark.parametrize("key", [KEY, "", "wrong"], ids=["right", "none", "wrong"])
def test_whatever_the_key_it_finds_nothing_for_long(shut_server: Server, tmp_path: Path, key: str) -> None:
    findings(shut_server, tmp_path, *LONG, key=key)


@pytest.mark.soak
@long
def test_without_keys_it_finds_nothing_for_long(open_server: Server, tmp_path: Path) -> None:
    findings(open_server, tmp_path, *LONG)


@pytest.mark.soak
@long
def test_on_postgresql_it_finds_nothing_for_long(postgres: Postgres, tmp_path: Path) -> None:
    options = {"DATABASE_URL": postgres.create("schemathesis"), "IMGPIPE_LOG_LEVEL": "WARNING"}
    with serving(tmp_path / "data", **options) as server:
        findings(server, tmp_path, *LONG)
