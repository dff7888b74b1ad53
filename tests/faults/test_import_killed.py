"""An import is killed in the middle: then all of its rows are there, or none, and nothing else is left."""

import contextlib
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from imgpipe.database.sqlitefile import sqlite
from tests.servers import ROOT

ROWS, WIDTH = 60_000, 100
VISIBLE = """
    SELECT coalesce(sum(block.rows), 0) FROM depth_blocks block JOIN depth_logs log ON log.number = block.log
    WHERE born <= uploads AND (died IS NULL OR died > uploads)
"""
# About what the database grows by: the pixels twice, the depth, and what the pages need besides.
WRITTEN_BYTES = ROWS * (WIDTH + 150 + 20)


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a CSV of 60,000 rows of 100 pixels."""
    file = tmp_path_factory.mktemp("csv") / "log.csv"
    line = ",7" * WIDTH + "\n"
    header = "depth" + ",c" * WIDTH + "\n"
    file.write_text(header + "".join(f"{n / 10}{line}" for n in range(ROWS)))
    return file


def moments() -> list[Any]:
    """List when to kill, as shares of what the import writes: from its beginning to behind its commit."""
    soaking = [pytest.param(n / 18, id=f"{n}/18", marks=pytest.mark.soak) for n in range(20)]
    return [0.02, 0.3, 0.6, 0.9, 1.0, *soaking]


def written_bytes(data_dir: Path) -> int:
    """Return how large the database is, with what has not been moved into its file yet."""
    with contextlib.suppress(FileNotFoundError):
        return sum((data_dir / name).stat().st_size for name in ("imgpipe.db", "imgpipe.db-wal"))
    return 0


def counted(data_dir: Path) -> tuple[int, int]:
    """Return how many rows there are, and how many the log says it has."""
    with contextlib.closing(sqlite.connect(data_dir / "imgpipe.db")) as connection:
        connection.execute("BEGIN IMMEDIATE")  # nobody holds the lock any more
        rows = connection.execute(VISIBLE).fetchone()[0]
        told = connection.execute("SELECT coalesce(sum(rows), 0) FROM depth_logs").fetchone()[0]
    return rows, told


@pytest.mark.parametrize("share", moments())
def test_a_killed_import_leaves_all_rows_or_none(
    tmp_path: Path, migrated: Path, csv: Path, share: float
) -> None:
    shutil.copy(migrated, tmp_path / "imgpipe.db")
    before = {path.name for path in tmp_path.iterdir()}
    empty_bytes = (tmp_path / "imgpipe.db").stat().st_size
    command = [str(Path(sys.executable).with_name("flask")), "--app", "wsgi", "frames", "import", str(csv)]
    environ = {"PATH": "/usr/bin:/bin", "IMGPIPE_DATA_DIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and written_bytes(tmp_path) <= empty_bytes + share * WRITTEN_BYTES:
            time.sleep(0.001)
        process.kill()
    new = {path.name for path in tmp_path.iterdir()} - before
    rows, told = counted(tmp_path)
    assert rows == told
    assert rows in (0, ROWS)
    assert new <= {"imgpipe.db-wal", "imgpipe.db-shm", "logs", "media", "metrics"}
