"""Ask peers that live in a process of their own: another language, or versions that do not go with ours.

`make bench` installs them into ``peers`` below the environment in use; what is absent is told and left out.
"""

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

SCRIPTS = Path(__file__).parent / "peers"
PLACE = Path(sys.prefix) / "peers"


class Foreign:
    """A process that is told batches of files, a line of JSON each, and answers what they took."""

    def __init__(self, command: list[str]) -> None:
        environ = os.environ | {"NODE_PATH": str(PLACE / "node_modules"), "UV_THREADPOOL_SIZE": "2"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ
        )

    def measure(self, files: list[Path], at_once: int) -> tuple[float, float]:
        """Return what a batch takes: s by the clock, s of CPU; reading the files is not counted.

        Raises:
            RuntimeError: the peer cannot be started, or broke off.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(
                json.dumps({"files": list(map(str, files)), "at_once": at_once}).encode() + b"\n"
            )
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} broke off with {self._process.wait()}")
        took = json.loads(line)
        return took["s"], took["cpu_s"]

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


def foreigners() -> dict[str, Foreign]:
    """Start those that are installed."""
    found = {}
    python, node = PLACE / "bin" / "python", shutil.which("node")
    if node and (PLACE / "node_modules" / "sharp").exists():
        found["sharp"] = Foreign([node, str(SCRIPTS / "sharp.js")])
    else:
        print("sharp is not installed: left out")
    if python.exists() and list(PLACE.glob("lib/*/site-packages/thumbor")):
        found["thumbor"] = Foreign([str(python), str(SCRIPTS / "thumbor_engine.py")])
    else:
        print("thumbor is not installed: left out")
    return found
