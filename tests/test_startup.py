"""A start says what it serves, where, and out of which parts, and never a secret."""

import subprocess
import sys
from pathlib import Path

import pytest

from imgpipe.config import load
from imgpipe.startup import describe, link
from tests.servers import ROOT, serving

SEARCHED = """
import gc
generations = [0]
gc.callbacks.append(lambda _phase, about: generations.append(about["generation"]))
import wsgi
print(max(generations))
"""


@pytest.mark.parametrize("collects", [True, False])
def test_who_imports_it_keeps_collecting_garbage_or_not(collects: bool) -> None:
    given = "" if collects else "gc.disable(); "
    command = [sys.executable, "-c", f"import gc; {given}import imgpipe; print(gc.isenabled())"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"{collects}\n"


def test_no_start_searches_for_garbage_in_what_it_has_imported(tmp_path: Path) -> None:
    environ = {"IMGPIPE_DATA_DIR": str(tmp_path), "IMGPIPE_LOG_LEVEL": "ERROR"}
    command = [sys.executable, "-c", SEARCHED]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


def test_a_start_loads_nothing_that_it_does_not_serve_with(tmp_path: Path) -> None:
    spared = (
        "alembic",
        "sqlalchemy.dialects.postgresql",
        "celery",
        "obstore",
        "torch",
        "matplotlib",
        "pyvips",
    )
    told = f"import sys, wsgi; print([name for name in {spared} if name in sys.modules])"
    environ = {"IMGPIPE_DATA_DIR": str(tmp_path), "IMGPIPE_LOG_LEVEL": "ERROR"}
    command = [sys.executable, "-c", told]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


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
