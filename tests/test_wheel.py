"""An installed wheel is all there is: command, page, migrations; its data lies where it is started."""

import os
import shutil
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.factories import jpeg
from tests.servers import KEPT, ROOT, START_S, free_port

pytestmark = pytest.mark.system

UV = Path(sys.executable).with_name("uv")
WHEEL_BYTES = 1_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of a clean copy of what git knows."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    _run([UV, "build", "--quiet", "--wheel", "--out-dir", out], source)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def imgpipe(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an empty environment, and return its command."""
    place = tmp_path_factory.mktemp("venv")
    _run([UV, "venv", "--quiet", "--allow-existing", "--python", sys.executable, place], place)
    _run([UV, "pip", "install", "--quiet", "--python", place / "bin" / "python", wheel], place)
    return place / "bin" / "imgpipe"


@pytest.fixture(scope="module")
def served(imgpipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Serve from a directory that holds nothing; return its address and the directory."""
    folder, port = tmp_path_factory.mktemp("work"), free_port()
    (folder / ".env").write_text(f"PORT={port}\nIMGPIPE_WORKERS=1\n")
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([imgpipe, "run"], cwd=folder, env=_environ(), stdout=log, stderr=log)
    try:
        _await_answer(url, process, folder / "log")
        yield url, folder
    finally:
        process.terminate()
        process.wait(10)


def _await_answer(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url + "/api/health/status", timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(log.read_text())


def _environ() -> dict[str, str]:
    return {name: os.environ[name] for name in KEPT if name in os.environ and name != "VIRTUAL_ENV"}


def _run(command: list[Path | str], folder: Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=_environ() | _index(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _index() -> dict[str, str]:
    """Return how this machine reaches its package index: its own certificates, proxies and settings."""
    told = ("PIP_", "UV_", "SSL_", "HTTP", "NO_PROXY")
    return {"UV_SYSTEM_CERTS": "1"} | {
        name: value for name, value in os.environ.items() if name.upper().startswith(told)
    }


def test_a_wheel_holds_page_and_migrations_in_less_than_a_megabyte(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"imgpipe/static/index.html", "imgpipe/migrations/env.py", "imgpipe/templates/docs.html"} <= names
    assert not any(name.startswith(("tests/", "benchmarks/", "instance/")) for name in names)
    assert wheel.stat().st_size < WHEEL_BYTES


def test_an_installed_server_takes_a_picture_and_gives_a_thumbnail(served: tuple[str, Path]) -> None:
    url, folder = served
    sent = requests.post(f"{url}/api/images", files={"file": ("a.jpg", jpeg(90, 60))}, timeout=10)
    image_id = sent.json()["data"]["image_id"]
    shown = requests.get(f"{url}/api/images/{image_id}?wait=10", timeout=15).json()["data"]
    thumbnail = requests.get(url + shown["thumbnails"]["small"], timeout=10)
    assert (shown["status"], thumbnail.headers["Content-Type"]) == ("success", "image/jpeg")
    assert (folder / "instance" / "imgpipe.db").exists()


def test_an_installed_server_serves_the_page(served: tuple[str, Path]) -> None:
    for path in ("/", "/static/app.js", "/api/docs", "/api/openapi.json"):
        assert requests.get(served[0] + path, timeout=10).status_code == 200


def test_the_installed_command_imports_a_folder_and_finds_all_well(
    imgpipe: Path, served: tuple[str, Path], tmp_path: Path
) -> None:
    _, folder = served
    (tmp_path / "b.jpg").write_bytes(jpeg(70, 50))
    assert "1 new" in _run([imgpipe, "images", "import", tmp_path], folder)
    assert "found" in _run([imgpipe, "doctor"], folder)
    assert not list(imgpipe.parent.parent.rglob("imgpipe.db"))


def test_the_installed_command_has_every_command_of_the_checkout(imgpipe: Path, tmp_path: Path) -> None:
    known = _run([imgpipe, "--help"], tmp_path)
    assert all(name in known for name in ("images", "frames", "config", "doctor", "copy", "db", "run"))


@pytest.mark.soak
@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_the_wheel_installs_and_runs_on_newer_interpreters(wheel: Path, version: str, tmp_path: Path) -> None:
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    interpreter = pyenv[-1] if pyenv else shutil.which(f"python{version}")
    if interpreter is None:
        pytest.skip(f"no Python {version} here")
    _run([UV, "venv", "--quiet", "--python", interpreter, tmp_path / "venv"], tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    _run([UV, "pip", "install", "--quiet", "--python", python, wheel], tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(jpeg(90, 60))
    command = python.with_name("imgpipe")
    _run([command, "db", "upgrade"], tmp_path)
    assert "1 new, 0 already in, 0 failed" in _run([command, "images", "import", tmp_path / "in"], tmp_path)
