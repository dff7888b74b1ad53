"""Log lines go to the console and to a file, say what they are about, and rotate without loss."""

import io
import json
import logging
import multiprocessing
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from imgpipe import logs

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (\w+) +\[(\S+)\] ([\w.]+): (.*)")
log = logging.getLogger("imgpipe.test")


@pytest.fixture(autouse=True)
def closed_afterwards() -> Iterator[None]:
    yield
    logger = logging.getLogger("imgpipe")
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)
        handler.close()


def lines(folder: Path) -> list[str]:
    return (folder / "logs" / "app.log").read_text(encoding="utf-8").splitlines()


def test_a_text_line_tells_time_level_subject_place_and_message(tmp_path: Path) -> None:
    logs.set_up(tmp_path, "text", "INFO")
    with logs.tagged("0190-picture"):
        log.warning("slow: %d ms", 7)
    log.info("outside")
    found = [match.groups() for line in lines(tmp_path) if (match := LINE.fullmatch(line))]
    assert found == [
        ("WARNING", "0190-picture", "imgpipe.test", "slow: 7 ms"),
        ("INFO", "-", "imgpipe.test", "outside"),
    ]


def test_the_console_sees_the_same_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(tmp_path, "text", "INFO")
    log.info("both")
    assert capsys.readouterr().err.splitlines() == lines(tmp_path)


def test_less_than_the_level_is_left_out(tmp_path: Path) -> None:
    logs.set_up(tmp_path, "text", "WARNING")
    log.info("quiet")
    assert lines(tmp_path) == []


@pytest.mark.parametrize("style", ["text", "json"])
def test_no_message_can_forge_a_line_of_its_own(tmp_path: Path, style: str) -> None:
    logs.set_up(tmp_path, style, "INFO")
    log.info("name: %s", "a\r\n2026-01-01T00:00:00.000Z ERROR [-] imgpipe: forged\x85\u2028x")
    assert len((tmp_path / "logs" / "app.log").read_bytes().splitlines()) == 1


def test_a_lone_surrogate_in_a_message_costs_no_line(tmp_path: Path) -> None:
    logs.set_up(tmp_path, "text", "INFO")
    log.info("name: %s", "\ud800.jpg")
    assert "\\ud800.jpg" in lines(tmp_path)[0]


def test_a_traceback_stands_indented_below_its_line(tmp_path: Path) -> None:
    logs.set_up(tmp_path, "text", "INFO")
    try:
        raise ValueError("inner\nof two lines")
    except ValueError:
        log.exception("it failed")
    first, *rest = lines(tmp_path)
    assert first.endswith("it failed")
    assert rest
    assert all(line.startswith("    ") for line in rest)


def test_a_json_line_is_one_object_with_its_traceback(tmp_path: Path) -> None:
    logs.set_up(tmp_path, "json", "INFO")
    try:
        raise ValueError("inner")
    except ValueError:
        log.exception("it failed")
    (entry,) = map(json.loads, lines(tmp_path))
    assert (entry["level"], entry["message"], entry["about"]) == ("ERROR", "it failed", "-")
    assert "ValueError: inner" in entry["traceback"]


def test_setting_up_again_replaces_the_handlers(tmp_path: Path) -> None:
    for name in ("one", "two"):
        logs.set_up(tmp_path / name, "text", "INFO")
    log.info("once")
    assert (lines(tmp_path / "one"), len(lines(tmp_path / "two"))) == ([], 1)


def _write(folder: Path, number: int) -> None:
    logs.set_up(folder, "text", "INFO")
    logging.getLogger("imgpipe").handlers[0].setStream(io.StringIO())  # type: ignore[attr-defined]
    for line in range(300):
        log.info("%d-%d %s", number, line, "x" * 50)


def test_two_processes_lose_no_line_of_each_other(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(tmp_path, number)) for number in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(lines(tmp_path)) == 600


def test_what_libraries_warn_of_is_logged(tmp_path: Path) -> None:
    code = """
import sys, warnings
from pathlib import Path
from imgpipe import logs
logs.set_up(Path(sys.argv[1]), "json", "INFO")
with logs.tagged("some-picture"):
    warnings.warn("Possibly corrupt EXIF data.\\nSo it goes.")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, check=True, text=True
    )
    (line,) = (tmp_path / "logs" / "app.log").read_text().splitlines()
    assert done.stderr.splitlines() == [line]
    told = json.loads(line)
    assert (told["level"], told["about"]) == ("WARNING", "some-picture")
    assert told["message"] == "UserWarning: Possibly corrupt EXIF data.\nSo it goes."
