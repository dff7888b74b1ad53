"""Start a private Redis that can die, freeze and come back empty."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.servers import free_port

START_S = 20


class Redis:
    """One server on a port of its own, which keeps nothing on disk: whoever restarts it finds it empty."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = itertools.count(1)
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start, empty, and wait until it answers."""
        options = ("--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--databases", "999")
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([self._program, *options], cwd=self._folder, stdout=log)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            with suppress(OSError):
                self.tell("PING")
                return
            time.sleep(0.02)
        raise TimeoutError((self._folder / "redis.log").read_text())

    def kill(self) -> None:
        """Kill it as a power cut does; what it held is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def another(self) -> str:
        """Return the URL of a database that nobody has used."""
        return self.url.removesuffix("0") + str(next(self._databases))

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it take connections and say nothing for the length of a block."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def tell(self, *words: str) -> str:
        """Send a command and return the answer as Redis' own client prints it. Raises: ``OSError``."""
        client = [str(Path(self._program).with_name("redis-cli")), "-p", str(self._port), *words]
        done = subprocess.run(client, capture_output=True, text=True, timeout=START_S, check=False)
        if done.returncode or "Could not connect" in done.stderr:
            raise ConnectionError(done.stderr)
        return done.stdout.strip()


@contextmanager
def running() -> Iterator[Redis]:
    """Run a server for the length of a block; skip, or fail on CI, where none is installed."""
    program = shutil.which("redis-server")
    if program is None:
        missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        missing("redis-server is not installed")
    with tempfile.TemporaryDirectory(prefix="redis-", ignore_cleanup_errors=True) as name:
        server = Redis(program, Path(name))
        server.start()
        try:
            yield server
        finally:
            server.kill()
