"""Run the real server as a process of its own, the way an operator does."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from imgpipe.database.sqlitefile import sqlite

ROOT = Path(__file__).resolve().parent.parent
KEPT = ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "TMPDIR")
START_S = 120


def free_port() -> int:
    """Return a port that nobody listens on at present."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(command: str, data_dir: Path, **options: str) -> subprocess.CompletedProcess[str]:
    """Run a command of this installation to its end, and return its exit status and all it said."""
    return subprocess.run(
        _arguments(command),
        cwd=ROOT,
        env=_environ(data_dir, options),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


def _arguments(command: str) -> list[str]:
    program, *arguments = command.split()
    return [str(Path(sys.executable).with_name(program)), *arguments]


def _environ(data_dir: Path, options: dict[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return kept | {"IMGPIPE_DATA_DIR": str(data_dir)} | options


class Server:
    """One server process over a data directory; ``start`` again after ``stop`` or ``kill``."""

    def __init__(self, data_dir: Path, command: str = "gunicorn wsgi:app", **options: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.command = command.replace("{port}", str(self.port))
        self.environ = _environ(data_dir, {"PORT": str(self.port), "IMGPIPE_LEASE_S": "3"} | options)
        self.process: subprocess.Popen[bytes] | None = None
        self.output = data_dir / "server.log"

    def start(self, answer: str = "/api/health/ready") -> "Server":
        """Start and wait until it answers, that it is ready unless told otherwise."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        program, *arguments = self.command.split()
        program = str(Path(sys.executable).with_name(program))
        with self.output.open("ab") as log:
            self.process = subprocess.Popen(
                [program, *arguments],
                cwd=ROOT,
                env=self.environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.await_answer(answer)
        return self

    def await_answer(self, path: str) -> None:
        """Wait until a path is answered well, through refused connections and errors."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, self.output.read_text()
            with contextlib.suppress(requests.RequestException):
                if requests.get(self.url + path, timeout=5).ok:
                    return
            time.sleep(0.05)
        raise TimeoutError(self.output.read_text())

    def workers(self) -> list[psutil.Process]:
        """List the worker processes of a gunicorn."""
        assert self.process is not None
        return psutil.Process(self.process.pid).children()

    def send(self, number: int) -> None:
        """Send a signal to the main process."""
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, timeout_s: float = 30) -> int:
        """Wait for the main process to end and return its exit status."""
        assert self.process is not None
        return self.process.wait(timeout_s)

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Stop it as an operator does; returns how long that took, s."""
        began = time.monotonic()
        self.send(number)
        self.wait()
        return time.monotonic() - began

    def kill(self) -> None:
        """Kill the whole tree at once, as the kernel or a power cut does."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def get(self, path: str, **query: Any) -> Any:
        """Return the ``data`` of a JSON answer."""
        return self.fetch(path, **query).json()["data"]

    def fetch(self, path: str, **query: Any) -> requests.Response:
        """Return an answer; ask again when a dying worker takes the connection along."""
        with requests.Session() as session:
            session.mount(
                "http://",
                HTTPAdapter(max_retries=Retry(5, backoff_factor=0.1, respect_retry_after_header=False)),
            )
            return session.get(self.url + path, params=query, timeout=60)

    def status(self, path: str, **headers: str) -> int:
        """Return the status of an answer."""
        return requests.get(self.url + path, headers=headers, timeout=60).status_code

    def upload(self, data: bytes, name: str = "photo.jpg") -> str:
        """Upload a picture and return its id."""
        response = requests.post(f"{self.url}/api/images", files={"file": (name, data)}, timeout=60)
        assert response.status_code == 202, response.text
        return str(response.json()["data"]["image_id"])

    def delete(self, image_id: str) -> None:
        """Delete a picture."""
        assert requests.delete(f"{self.url}/api/images/{image_id}", timeout=60).status_code == 204

    def upload_all(self, data: bytes, count: int) -> list[str]:
        """Upload a picture ``count`` times, four at once, and return the ids."""
        with ThreadPoolExecutor(4) as clients:
            return list(clients.map(self.upload, [data] * count))

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask or change the SQLite file itself, whether the server runs or not."""
        connection = sqlite.connect(self.data_dir / "imgpipe.db", timeout=30)
        with contextlib.closing(connection), connection:
            return list(connection.execute(statement))

    def await_ready(self, status: int = 200) -> dict[str, Any]:
        """Wait until readiness is told with ``status``, and return it: what was last said is kept for 2 s."""
        deadline = time.monotonic() + START_S
        while (said := self.fetch("/api/health/ready")).status_code != status:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        told: dict[str, Any] = said.json()
        return told

    def await_all_done(self, timeout_s: float = 60) -> dict[str, Any]:
        """Wait until nothing is processing, and return the statistics."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            totals: dict[str, Any] = self.get("/api/stats")
            if not totals["processing"]:
                return totals
            time.sleep(0.02)
        raise TimeoutError(f"still processing: {totals}\n{self.output.read_text()[-3000:]}")


@contextlib.contextmanager
def serving(data_dir: Path, command: str = "gunicorn wsgi:app", **options: str) -> Iterator[Server]:
    """Run a server for the length of a block; whatever is left of it then is killed."""
    server = Server(data_dir, command, **options)
    try:
        yield server.start()
    finally:
        server.kill()
