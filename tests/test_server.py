"""A server starts well or says in plain lines why not; one second of it on a port is refused."""

import re
from pathlib import Path

import pytest

from tests.servers import run, serving

pytestmark = pytest.mark.system

COMMANDS = ("gunicorn wsgi:app", "python wsgi.py", "flask --app wsgi run --port 1", "python init_db.py")
FAULTS = {
    "IMGPIPE_WORKERS": "many",
    "IMGPIPE_LEASE_S": "1e9",
    "IMGPIPE_NO_SUCH_OPTION": "1",
    "IMGPIPE_DEDUPE": "perhaps",
    "IMGPIPE_STORAGE": "/dev/null/media",
    "DATABASE_URL": "nosuchdb://user:hunter2@host/name",
    "IMGPIPE_SECRET_TOKEN": "hunter2",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_fault_of_the_configuration_is_told_at_once_in_a_line_of_its_own(
    tmp_path: Path, command: str
) -> None:
    end = run(command, tmp_path, **FAULTS)
    lines = end.stdout.splitlines()
    assert end.returncode == 1
    assert {re.match(r"\w+", line)[0] for line in lines} == set(FAULTS)  # type: ignore[index]
    assert len(lines) == len(FAULTS)
    assert all(": expected " in line for line in lines)
    assert "hunter2" not in end.stdout


@pytest.mark.parametrize("command", ["gunicorn wsgi:app", "python wsgi.py", "python init_db.py"])
def test_a_database_that_does_not_answer_is_told_in_one_line(tmp_path: Path, command: str) -> None:
    end = run(command, tmp_path, DATABASE_URL="sqlite:////dev/null/imgpipe.db")
    lines = [line for line in end.stdout.splitlines() if "[INFO]" not in line]
    assert end.returncode == 1
    assert lines == ["DATABASE_URL=(hidden): expected a database that answers (unable to open database file)"]


def test_a_second_gunicorn_on_the_port_is_refused_in_one_line_and_the_first_goes_on(tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        end = run("gunicorn wsgi:app", tmp_path, PORT=str(first.port))
        lines = [line for line in end.stdout.splitlines() if "[INFO]" not in line]
        assert end.returncode == 1
        assert lines == [
            f"HOST='127.0.0.1', PORT={first.port}: expected a free port (Address already in use)"
        ]
        assert first.get("/api/stats")["total"] == 0


def test_the_command_line_shows_the_configuration_without_its_secrets(tmp_path: Path) -> None:
    secrets = {"OPENAI_API_KEY": "hunter2", "IMGPIPE_API_KEYS": "hunter2,hunter2"}
    end = run("flask --app wsgi config", tmp_path, IMGPIPE_WORKERS="3", **secrets)
    assert end.returncode == 0
    assert re.search(r"^IMGPIPE_WORKERS +3 +\w+", end.stdout, re.MULTILINE)
    assert re.search(r"^OPENAI_API_KEY +\*\*\* ", end.stdout, re.MULTILINE)
    assert "hunter2" not in end.stdout


def test_a_log_never_carries_a_secret(tmp_path: Path) -> None:
    keys = {"IMGPIPE_API_KEYS": "hunter2", "IMGPIPE_LOG_LEVEL": "DEBUG"}
    with serving(tmp_path, **keys) as server:
        assert server.status("/api/stats", Authorization="Bearer hunter2") == 200
        assert server.status("/api/stats", Authorization="Bearer wrong") == 401
    assert "hunter2" not in server.output.read_text() + (tmp_path / "logs" / "app.log").read_text()
