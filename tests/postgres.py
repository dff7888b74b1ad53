"""Start a private PostgreSQL from the installed binaries, and make databases in it."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

DEBIAN = Path("/usr/lib/postgresql")
# A zone far from UTC, with an odd offset: nothing we answer may depend on the server's.
OPTIONS = {
    "listen_addresses": "''",
    "max_connections": "200",
    "shared_buffers": "'64MB'",
    "timezone": "'Asia/Kathmandu'",
}

# For what is true of one kind of database only; everything else runs on both.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


class Postgres:
    """One cluster below ``folder``, reached by a socket in the same folder; nothing listens on a port."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self.folder = folder
        self.data = folder / "data"

    def initialise(self) -> None:
        """Make the cluster: UTF-8, no password on the socket, durable as in production (fsync on)."""
        self._run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C")
        options = OPTIONS | {"unix_socket_directories": f"'{self.folder}'"}
        lines = "".join(f"{name} = {value}\n" for name, value in options.items())
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(lines)

    def start(self) -> None:
        """Start and wait until it answers, recovered if it had crashed."""
        self._run("pg_ctl", "--wait", f"--log={self.folder / 'log'}", "start")

    def stop(self, mode: str = "fast") -> None:
        """End it: ``fast`` in good order, ``immediate`` as a crash does."""
        self._run("pg_ctl", "--wait", f"--mode={mode}", "stop")

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def sql(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement outside of any transaction, and return its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def create(self, database: str, template: str = "template1") -> str:
        """Make a database, a copy of ``template``, and return its URL."""
        self.sql("postgres", f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self.sql("postgres", f'DROP DATABASE "{database}" WITH (FORCE)')

    def _run(self, program: str, *arguments: str) -> None:
        owner = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
        said = self.folder / "tools.log"  # a pipe would stay open as long as the server runs
        with said.open("ab") as output:
            done = subprocess.run(
                [self._binaries / program, f"--pgdata={self.data}", *arguments],
                cwd=self.folder,
                user=owner,
                group=owner,
                extra_groups=[] if owner else None,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=60,
                check=False,
            )
        assert done.returncode == 0, said.read_text()


def find_binaries() -> Path:
    """Return the folder of the newest installed server; without one, skip the test, or fail it on CI."""
    versions = sorted(DEBIAN.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]), reverse=True)
    onpath = shutil.which("postgres")
    for program in [*versions, *map(Path, filter(None, [onpath]))]:
        return program.resolve().parent
    reason = "PostgreSQL's server is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def running() -> Iterator[Postgres]:
    """Run a cluster of its own for the length of a block, and remove it."""
    binaries = find_binaries()
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as name:
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(name, owner.pw_uid, owner.pw_gid)
        server = Postgres(binaries, Path(name))
        server.initialise()
        server.start()
        try:
            yield server
        finally:
            if (server.data / "postmaster.pid").exists():
                server.stop("immediate")
