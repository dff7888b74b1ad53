"""The counts are exact over processes and restarts, and no id is ever a label."""

import fcntl
import random
import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient
from prometheus_client import values
from prometheus_client.parser import text_string_to_metric_families

from imgpipe import metrics
from tests.compose import find_program
from tests.factories import jpeg, post
from tests.redis import running as redis_running
from tests.servers import ROOT, Server, serving
from tests.workers import working


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Parse the text as Prometheus does."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(server: Server) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return samples(server.fetch("/metrics").text)


def upload(server: Server, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        data = jpeg(40 + number % 50, 30 + number // 50)
        assert requests.post(
            f"{server.url}/api/images", data=data, headers={"Content-Type": "image/jpeg"}, timeout=10
        ).ok


def drained(server: Server) -> None:
    deadline = time.monotonic() + 30
    while server.get("/api/stats")["processing"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_counts_are_exact_over_two_processes_a_kill_and_a_restart(tmp_path: Path) -> None:
    uploads = (
        "imgpipe_http_requests_total",
        (("method", "POST"), ("route", "/api/images"), ("status", "202")),
    )
    succeeded = ("imgpipe_pictures_total", (("outcome", "success"),))
    with serving(tmp_path, WEB_CONCURRENCY="2") as server:
        upload(server, 20)
        drained(server)
        first = scrape(server)
        assert (first[uploads], first[succeeded]) == (20, 20)
        server.kill()
        server.start()
        upload(server, 10, 20)
        drained(server)
        second = scrape(server)
        assert (second[uploads], second[succeeded]) == (30, 30)
        assert second["imgpipe_stage_seconds_count", (("stage", "render"),)] == 30
    assert len(list((tmp_path / "metrics").glob("counter_*.db"))) <= 4


@pytest.mark.soak
def test_a_thousand_uploads_over_two_processes_and_a_celery_worker_are_counted_exactly(
    tmp_path: Path,
) -> None:
    celery = {"IMGPIPE_JOBS": "celery", "WEB_CONCURRENCY": "2"}
    with (
        redis_running() as redis,
        serving(tmp_path, CELERY_BROKER_URL=redis.url, **celery) as server,
        working(server.environ, tmp_path / "worker.log") as worker,
        ThreadPoolExecutor(8) as clients,
    ):
        list(clients.map(lambda number: upload(server, 1, number), range(1000)))
        list(clients.map(server.upload, [jpeg()[:-500]] * 20))
        server.await_all_done(300)
        before = counters(server)
        posts = ("method", "POST"), ("route", "/api/images"), ("status", "202")
        assert before["imgpipe_http_requests_total", posts] == 1020
        assert before["imgpipe_pictures_total", (("outcome", "success"),)] == 1000
        assert before["imgpipe_pictures_total", (("outcome", "failed"),)] == 20
        assert before["imgpipe_failures_total", (("code", "corrupt_image"),)] == 20
        assert before["imgpipe_stage_seconds_count", (("stage", "render"),)] == 1020
        worker.kill()
        random.choice(server.workers()).kill()
        server.await_ready()
        after = counters(server)
        assert {name: after[name] for name in before} == before


def counters(server: Server) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return all that only grows by what the test does: not the counts of its own looks."""
    return {
        (name, labels): value
        for (name, labels), value in scrape(server).items()
        if name.endswith(("_total", "_count")) and ("method", "GET") not in labels
    }


@pytest.mark.soak
def test_a_killed_workers_gauges_vanish(tmp_path: Path) -> None:
    with serving(tmp_path, WEB_CONCURRENCY="2") as server:
        server.upload_all(jpeg(3000, 2000), 6)
        for process in server.workers():
            process.kill()
        server.await_all_done()
        found = scrape(server)
        assert {value for (name, _), value in found.items() if name == "imgpipe_queue_depth"} == {0}
        assert not any("pid" in dict(labels) for _, labels in found)
        assert not list((tmp_path / "metrics").glob("gauge*"))


def test_what_the_database_says_is_asked_at_the_scrape(client: FlaskClient) -> None:
    post(client, jpeg(100, 80))
    found = samples(client.get("/metrics").text)
    stages = {labels[0][1] for name, labels in found if name == "imgpipe_queue_depth"}
    assert {"render", "caption", "recaption"} <= stages
    assert found["imgpipe_queue_depth", (("stage", "render"),)] == 0
    assert found["imgpipe_captioning_paused", ()] == 0
    assert found["imgpipe_stored_bytes", ()] > len(jpeg(100, 80))
    assert any(name == "imgpipe_build_info" for name, _ in found)


def test_the_bytes_that_are_stored_follow_uploads_and_deletes(client: FlaskClient) -> None:
    def stored() -> float:
        return samples(client.get("/metrics").text)["imgpipe_stored_bytes", ()]

    image_id = post(client, jpeg(100, 80)).get_json()["data"]["image_id"]
    assert stored() > 0
    client.delete(f"/api/images/{image_id}")
    assert stored() == 0


def test_a_slot_without_room_on_the_disk_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "counter_0.db").mkdir()  # as unwritable as a file on a full disk
    with pytest.raises(OSError):
        metrics._Slot(tmp_path).number()
    with (tmp_path / "0.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_no_id_is_a_label(client: FlaskClient) -> None:
    image_id = post(client, jpeg(100, 80)).get_json()["data"]["image_id"]
    client.get(f"/api/images/{image_id}")
    client.get("/no/such/address")
    client.open("/api/images", method="BREW")
    text = client.get("/metrics").text
    assert image_id not in text
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", text)
    assert 'route="unknown"' in text
    assert "BREW" not in text


def test_a_folder_for_the_counts_that_cannot_be_made_is_no_reason_not_to_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/file").touch()
    monkeypatch.setattr(metrics, "_slots", [])
    monkeypatch.setattr(values, "ValueClass", values.MultiProcessValue())  # type: ignore[no-untyped-call]
    monkeypatch.setenv(metrics.FOLDER, str(tmp_path / "a/file/counts"))
    metrics.set_up(tmp_path / "elsewhere")
    assert values.ValueClass is values.MutexValue


def test_a_stop_loses_no_count_in_a_folder_that_the_environment_names(tmp_path: Path) -> None:
    with serving(tmp_path, PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "made/anew")) as server:
        upload(server, 3)
        drained(server)
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(10)
        server.start()
        found = scrape(server)
    assert found["imgpipe_pictures_total", (("outcome", "success"),)] == 3


def test_the_alerts_and_the_dashboard_ask_for_metrics_that_there_are(client: FlaskClient) -> None:
    post(client, jpeg(100, 80))
    known = {name for name, _ in samples(client.get("/metrics").text)}
    known |= {"imgpipe_failures_total", "imgpipe_caption_calls_total"}  # which have none yet
    for path in ("deploy/alerts.yml", "deploy/grafana.json"):
        text = (ROOT / path).read_text()
        asked = set(re.findall(r"\bimgpipe_\w+", text))
        assert asked
        assert {name for name in asked if name not in known} == set(), path


def test_prometheus_itself_takes_rules_and_metrics(client: FlaskClient) -> None:
    promtool = find_program("promtool")
    rules = subprocess.run(
        [promtool, "check", "rules", str(ROOT / "deploy" / "alerts.yml")], capture_output=True, check=False
    )
    assert rules.returncode == 0, rules.stderr
    post(client, jpeg(100, 80))
    text = client.get("/metrics").data
    metrics = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert metrics.returncode == 0, metrics.stderr
