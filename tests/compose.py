"""Read the compose files and the Dockerfile, so that tests run what they say."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers import KEPT, ROOT, START_S

_VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?::([-?])([^}]*))?\}")


@dataclass(frozen=True)
class Service:
    """What a container of a service runs, and with which variables."""

    command: list[str]
    environ: dict[str, str]
    health: list[str]


def services(file: str, **environ: str) -> dict[str, Service]:
    """Return the services of a compose file, whose variables are filled in from ``environ``.

    Raises: ``KeyError`` for a variable that the file insists on.
    """
    content = _filled(yaml.safe_load((ROOT / file).read_text()), environ)
    return {
        name: Service(
            command=service.get("command", []),
            environ=_read(service, environ) | _environ(service.get("environment", {}), environ),
            health=_words(service.get("healthcheck", {}).get("test", ["CMD"])),
        )
        for name, service in content["services"].items()
    }


def _read(service: Mapping[str, Any], outside: Mapping[str, str]) -> dict[str, str]:
    """Return what a service reads of its own accord out of ``.env``, whose content ``outside`` is."""
    return dict(outside) if service.get("env_file") == [{"path": ".env", "required": False}] else {}


def _words(test: list[str]) -> list[str]:
    return ["sh", "-c", test[1]] if test[0] == "CMD-SHELL" else test[1:]


def _environ(entries: Mapping[str, str | None], outside: Mapping[str, str]) -> dict[str, str]:
    """Return the variables; one without a value comes from outside, or not at all."""
    known = {name: outside.get(name) if value is None else value for name, value in entries.items()}
    return {name: value for name, value in known.items() if value is not None}


def _filled(node: Any, environ: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {name: _filled(value, environ) for name, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, environ) for value in node]
    return _VARIABLE.sub(lambda found: _value(found, environ), node) if isinstance(node, str) else node


def _value(found: re.Match[str], environ: Mapping[str, str]) -> str:
    name, sign, text = found.groups()
    if name is None:
        return "$"
    if sign == "?":
        return environ[name]
    return environ.get(name) or text or ""


class Image:
    """The last stage of the Dockerfile."""

    def __init__(self) -> None:
        text = re.sub(r"\\\n", "", (ROOT / "Dockerfile").read_text())
        lines = [line.split(maxsplit=1) for line in text.splitlines() if line and line[0] != "#"]
        self.steps = [(verb, rest) for verb, rest in lines]
        starts = [number for number, (verb, _) in enumerate(self.steps) if verb == "FROM"]
        self.last = self.steps[starts[-1] :]

    @property
    def sources(self) -> list[str]:
        """Name what is copied out of the checkout, by any stage."""
        copies = [rest.split() for verb, rest in self.steps if verb == "COPY" and "--from" not in rest]
        return [source for *sources, _ in copies for source in sources]

    @property
    def environ(self) -> dict[str, str]:
        """Return its variables."""
        words = [word for verb, rest in self.last if verb == "ENV" for word in shlex.split(rest)]
        return dict(word.split("=", 1) for word in words)

    @property
    def command(self) -> list[str]:
        """Return what its containers run."""
        return self._words("CMD")

    @property
    def health(self) -> list[str]:
        """Return what tells whether a container is well."""
        return self._words("HEALTHCHECK")

    def build(self, folder: Path) -> None:
        """Make ``folder`` what the last stage makes of its working directory out of the checkout."""
        folder.mkdir()
        for verb, rest in self.last:
            if verb == "COPY" and "--from" not in rest:
                *sources, target = rest.split()
                for source in sources:
                    _copy(ROOT / source, folder / target)

    def _words(self, verb: str) -> list[str]:
        (rest,) = (rest for found, rest in self.last if found == verb)
        words: list[str] = json.loads(rest[rest.index("[") :])
        return words


class Container:
    """A folder that holds what the image does, and the variables of the processes in it."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        programs = f"{Path(sys.executable).parent}:{kept['PATH']}"
        self.folder = folder
        self.environ = {**environ, **kept, "PATH": programs, "HOSTNAME": socket.gethostname()}

    def run(self, command: list[str]) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextmanager
    def started(self, command: list[str], health: list[str], log: Path) -> Iterator[None]:
        """Run a command for the length of a block, which begins when the health check is content."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environ,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            deadline = time.monotonic() + START_S
            while self.run(health).returncode:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
            yield
            process.terminate()
            process.wait(START_S)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def find_program(name: str) -> str:
    """Return where a program of the machine is; without it, skip the test, or fail it on CI."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None and os.environ.get("CI") == "true":
        pytest.fail(f"{name} is not installed")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)
