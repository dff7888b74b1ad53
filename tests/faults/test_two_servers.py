"""Servers and starters beside each other on one database get on."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.faults.test_kills import assert_each_was_rendered_once
from tests.servers import run, serving


def test_two_servers_share_one_queue_and_render_each_picture_once(tmp_path: Path, heavy: bytes) -> None:
    with serving(tmp_path) as one, serving(tmp_path) as other:
        with ThreadPoolExecutor(2) as clients:
            ids = list(clients.map(lambda server: server.upload_all(heavy, 20), (one, other)))
        assert_each_was_rendered_once(one, ids[0] + ids[1])
        assert one.sql("SELECT max(attempt) FROM images") == [(1,)]
        assert other.get("/api/stats") == one.get("/api/stats")


def test_several_may_set_up_one_empty_database_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as starters:
        ends = list(starters.map(partial(run, "python init_db.py"), [tmp_path / "new"] * 4))
    assert [(end.returncode, end.stdout) for end in ends] == [(0, "")] * 4
    again = run("python init_db.py", tmp_path / "new")
    assert (again.returncode, again.stdout) == (0, "")
