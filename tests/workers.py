"""Run Celery's workers as processes of their own, the way an operator does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.servers import ROOT

START_S = 120


class Worker:
    """One ``celery worker`` of two processes; ``start`` again after ``stop`` or ``kill``."""

    def __init__(self, environ: Mapping[str, str], output: Path, *arguments: str) -> None:
        self._environ = environ
        self._arguments = arguments or ("-Q", "render,caption", "-c", "2")
        self.output = output
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Worker":
        """Start and wait until there are children to work, or where it has threads instead."""
        self._run()
        deadline = time.monotonic() + START_S
        while not (self.children() if "-P" not in self._arguments else self._says("[queues]")):
            assert self.process is not None
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.02)
        return self

    def end(self) -> int:
        """Start what can't go on, and return its exit status."""
        self._run()
        assert self.process is not None
        try:
            return self.process.wait(START_S)
        finally:
            self.kill()

    def _run(self) -> None:
        command = [sys.executable, "-m", "celery", "-A", "wsgi.celery", "worker", *self._arguments]
        with self.output.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self._environ, stdout=log, stderr=log, start_new_session=True
            )

    def _says(self, words: str) -> bool:
        return words in self.output.read_text()

    def children(self) -> list[psutil.Process]:
        """List the processes that do the work."""
        assert self.process is not None
        return psutil.Process(self.process.pid).children()

    def stop(self) -> int:
        """Stop it as an operator does; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(START_S)

    def kill(self) -> None:
        """Kill the whole tree at once."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def working(environ: Mapping[str, str], output: Path, *arguments: str) -> Iterator[Worker]:
    """Run a worker for the length of a block; what is left of it then is killed."""
    worker = Worker(environ, output, *arguments)
    try:
        yield worker.start()
    finally:
        worker.kill()
