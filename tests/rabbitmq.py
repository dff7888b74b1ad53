"""Start a private RabbitMQ that can die and freeze; what it was told to keep outlives that."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest
from kombu.connection import Connection

from tests.servers import free_port

START_S = 120
# Debian's script of that name changes the user, and writes into the system's folders.
PROGRAMS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server")


class RabbitMQ:
    """One node with a name server of its own; both listen on loopback, on ports of their own."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        port, names = free_port(), str(free_port())
        self.url = f"amqp://guest:guest@127.0.0.1:{port}//"
        (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
        (folder / "environment.conf").touch()
        (folder / "plugins").write_text("[].\n")
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),  # where the secret lies that nodes know each other by
            "ERL_EPMD_PORT": names,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": "imgpipe@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "environment.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        # In our hands, since a node would start one that outlives it.
        self._names = subprocess.Popen(["epmd", "-port", names, "-address", "127.0.0.1"])

    def start(self) -> None:
        """Start and wait until it answers."""
        with (self._folder / "output").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program],
                cwd=self._folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "output").read_text()
            assert time.monotonic() < deadline, (self._folder / "output").read_text()
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill the node as a power cut does."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def end(self) -> None:
        """Kill the node and its name server."""
        self.kill()
        self._names.kill()
        self._names.wait()

    def another(self) -> str:
        """Make an empty virtual host, and return its URL."""
        name = uuid4().hex
        for words in (("add_vhost", name), ("set_permissions", "-p", name, "guest", ".*", ".*", ".*")):
            client = [str(Path(self._program).with_name("rabbitmqctl")), *words]
            subprocess.run(client, env=self._environ, capture_output=True, timeout=START_S, check=True)
        return self.url.removesuffix("/") + name

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it take connections and say nothing for the length of a block."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, number)  # the script that starts it, and the node itself

    def _answers(self) -> bool:
        with suppress(OSError), Connection(self.url, connect_timeout=2) as connection:  # type: ignore[no-untyped-call]
            connection.connect()
            return True
        return False


@contextmanager
def running() -> Iterator[RabbitMQ]:
    """Run a node for the length of a block; skip, or fail on CI, where none is installed."""
    found = [program for name in PROGRAMS if (program := shutil.which(name))]
    if not found or not shutil.which("epmd"):
        missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        missing("rabbitmq-server is not installed")
    with tempfile.TemporaryDirectory(prefix="rabbitmq-", ignore_cleanup_errors=True) as name:
        node = RabbitMQ(found[0], Path(name))
        try:
            node.start()
            yield node
        finally:
            node.end()
