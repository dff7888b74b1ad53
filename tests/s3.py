"""Start a private S3 server over real HTTP that can refuse, fall silent and come back with all it had.

It is moto's, in a process of its own that keeps the objects in memory and takes orders by its standard input.
An empty line makes it stop listening, or listen again; a bucket's name takes that bucket away, or brings it
back.
"""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests

from tests.servers import ROOT, free_port


class ObjectServer:
    """One S3 server on a port of its own."""

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.environ = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "reader",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI-K7MDENG",
            "AWS_REGION": "us-east-1",
        }
        command = [sys.executable, "-m", "tests.s3", str(self._port)]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._await_word()

    def make_bucket(self, name: str = "") -> str:
        """Make an empty bucket and return the address of a folder in it."""
        name = name or f"bucket-{uuid4().hex[:12]}"
        assert requests.put(f"{self.url}/{name}", timeout=10).ok
        return f"s3://{name}/some/folder"

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Take no connection for the length of a block."""
        self._order()
        try:
            yield
        finally:
            self._order()

    @contextmanager
    def without(self, address: str) -> Iterator[str]:
        """Have no such bucket for the length of a block, unless one is made of the name that is given."""
        name = urlsplit(address).netloc
        self._order(name)
        try:
            yield name
        finally:
            self._order(name)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Take connections and say nothing for the length of a block."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it; what it held is lost."""
        self._process.kill()
        self._process.communicate()

    def _order(self, word: str = "") -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        self._await_word()

    def _await_word(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), "the S3 server ended"


@contextmanager
def running() -> Iterator[ObjectServer]:
    """Run a server for the length of a block; skip, or fail on CI, where the packages are absent."""
    absent = [name for name in ("moto", "flask_cors", "obstore") if find_spec(name) is None]
    if absent:
        missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        missing(f"{', '.join(absent)} not installed")
    server = ObjectServer()
    try:
        yield server
    finally:
        server.kill()


def serve(port: int) -> None:
    """Listen from the first order on, and do what each says, to their end."""
    make_server: Any = import_module("moto.moto_server.threaded_moto_server").ThreadedMotoServer
    listening = None
    kept: dict[str, Any] = {}
    for order in itertools.chain([""], map(str.strip, sys.stdin)):
        if order:
            _exchange(order, kept)
        elif listening:
            listening.stop()
            listening = None
        else:
            listening = make_server("127.0.0.1", port, verbose=False)
            listening.start()
        print("done", flush=True)


def _exchange(name: str, kept: dict[str, Any]) -> None:
    """Take a bucket away, or bring it back, whatever is in its place."""
    backends: Any = import_module("moto.s3.models").s3_backends
    if name not in kept:
        partition, account = backends.bucket_accounts.pop(name)
        kept[name] = partition, account, backends[account][partition].buckets.pop(name)
    else:
        partition, account, bucket = kept.pop(name)
        backends.bucket_accounts[name] = partition, account
        backends[account][partition].buckets[name] = bucket


if __name__ == "__main__":
    serve(int(sys.argv[1]))
