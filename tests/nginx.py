"""Start a private nginx with the shipped configuration, filled in as its image fills it in."""

import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.compose import find_program
from tests.servers import ROOT, START_S, free_port

TEMPLATE = ROOT / "deploy" / "nginx.conf"


def fill_in(template: str, environ: Mapping[str, str]) -> str:
    """Replace ``${NAME}`` and ``$NAME`` as envsubst does, for the names that the image's filter lets by."""
    wanted = {name for name in environ if re.search(environ["NGINX_ENVSUBST_FILTER"], name)}
    names = "|".join(sorted(wanted, key=len, reverse=True))
    return re.sub(rf"\$(?:{{({names})}}|({names})\b)", lambda found: environ[found[1] or found[2]], template)


@contextmanager
def proxying(
    environ: Mapping[str, str], upstream: str, folder: Path, media: Path, command: list[str]
) -> Iterator[str]:
    """Run the nginx of a compose file in front of ``upstream`` (host:port); yields its URL.

    ``environ`` and ``command`` are the compose service's; only addresses and paths are put in their place.
    """
    binary = find_program("nginx")
    folder.mkdir()
    port = free_port()
    places = {
        "PROXY_LISTEN": f"127.0.0.1:{port}",
        "PROXY_UPSTREAM": upstream,
        "PROXY_STATIC": str(ROOT / "static"),
        "PROXY_MEDIA": str(media),
        "PROXY_SPOOL": str(folder),
    }
    configuration = folder / "nginx.conf"
    configuration.write_text(fill_in(TEMPLATE.read_text(), {**environ, **places}))
    arguments = [str(configuration) if word == "/tmp/nginx.conf" else word for word in command[1:]]
    # Its workers would leave root for an account that cannot enter the test's folders.
    account = ["-g", "user root;"] if os.geteuid() == 0 else []
    log = folder / "log"
    with log.open("ab") as output:
        process = subprocess.Popen([binary, *arguments, *account], stdout=output, stderr=output)
    try:
        _await_answer(f"http://127.0.0.1:{port}", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
    assert not re.search(r"\[(alert|crit|emerg)\]", log.read_text()), log.read_text()


def _await_answer(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if requests.get(f"{url}/proxy/health", timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.02)
    raise TimeoutError(log.read_text())
