"""LAS and DLIS files become logs by the form and by command, or are refused and nothing is stored."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dliswriter import enums
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.depths import ask, raw
from tests.factories import post_form
from tests.wells.files import dlis, image_las, las

# What a database does with rows is tested with CSVs; a process for each test again would only take time.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

DEPTHS = [2889.4, 2889.6, 2889.8, 2890.0]
IMAGE = np.random.default_rng(1).normal(100, 20, (4, 150)).round(3)


def send(client: FlaskClient, file: bytes, **form: str) -> TestResponse:
    return post_form(client, "/api/frames", {"file": ("well", file)}, log="well", **form)


def stored(client: FlaskClient, file: bytes, **form: str) -> dict[str, Any]:
    response = send(client, file, **form)
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json["data"]  # type: ignore[index]
    return data


def refused(client: FlaskClient, file: bytes, **form: str) -> str:
    response = send(client, file, **form)
    assert (response.status_code, response.json["code"]) == (400, "invalid_log")  # type: ignore[index]
    assert client.get("/api/frames/logs").json["data"] == []  # type: ignore[index]
    message: str = response.json["error"]  # type: ignore[index]
    return message


def greys(image: Any, low: float, high: float) -> list[list[int]]:
    """Scale the long way, close enough: tests of the scale itself stand beside it."""
    return np.floor((image - low) / (high - low) * 255 + 0.5).astype(int).tolist()  # type: ignore[no-any-return]


def test_a_las_becomes_a_log_in_its_unit_with_its_nulls_as_holes(client: FlaskClient) -> None:
    image = IMAGE.copy()
    image[1, 3] = -999.25
    receipt = stored(client, image_las(DEPTHS, image, unit="F"))
    low, high = IMAGE.min(), IMAGE.max()
    assert receipt == receipt | {
        "rows": 4,
        "source_width": 150,
        "depth_min": 2889.4,
        "depth_unit": "ft",
        "value_min": low,
        "value_max": high,
        "clipped": 0,
    }
    expected = greys(IMAGE, low, high)
    expected[1][3] = 0
    assert raw(client, log="well").tolist() == expected
    frames = ask(client, log="well").json["data"]["frames"]  # type: ignore[index]
    assert [frame["holes"] for frame in frames] == [0, 1, 0, 0]


def test_a_dlis_becomes_a_log_by_the_scale_that_is_asked(client: FlaskClient, tmp_path: Path) -> None:
    channels = {"DEPTH": np.array(DEPTHS)[::-1], "AMP": IMAGE[::-1], "TT": IMAGE[:, :9]}
    file = dlis(tmp_path / "a.dlis", {"MAIN": channels}).read_bytes()
    receipt = stored(client, file, channel="AMP", scale="80:120")
    assert receipt["clipped"] == int(((IMAGE < 80) | (IMAGE > 120)).sum())
    assert raw(client, log="well").tolist() == greys(IMAGE.clip(80, 120), 80, 120)


def test_a_second_file_goes_by_the_scale_of_the_log(client: FlaskClient) -> None:
    first = stored(client, image_las(DEPTHS, IMAGE))
    second = stored(client, image_las([2891.0], IMAGE[:1] + 1))
    assert (second["value_min"], second["value_max"]) == (first["value_min"], first["value_max"])
    assert send(client, image_las([2892.0], IMAGE[:1], unit="F")).json["code"] == "conflict"  # type: ignore[index]


def test_null_values_of_the_upload_are_holes_beside_the_files_own(client: FlaskClient) -> None:
    image = IMAGE.copy()
    image[0, :2] = [-999.25, -9999]
    stored(client, image_las(DEPTHS, image), null="-9999")
    assert ask(client, log="well").json["data"]["frames"][0]["holes"] == 2  # type: ignore[index]


def test_what_a_csv_export_says_is_what_was_measured(client: FlaskClient) -> None:
    receipt = stored(client, image_las(DEPTHS, IMAGE))
    lines = ask(client, log="well", format="csv").text.splitlines()
    told = np.array([[float(cell) for cell in line.split(",")] for line in lines[1:]])
    step = (receipt["value_max"] - receipt["value_min"]) / 255
    assert lines[0].startswith("depth[m],")
    assert told[:, 0].tolist() == DEPTHS
    assert np.abs(told[:, 1:] - IMAGE).max() <= step / 2 * (1 + 1e-9)


@pytest.mark.parametrize(("kind", "reader"), [("LAS", "lasio"), ("DLIS", "dlisio")])
def test_without_its_reader_the_sentence_names_the_extra(
    client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, reader: str
) -> None:
    frames = {"MAIN": {"DEPTH": np.array(DEPTHS), "AMP": IMAGE}}
    files = {"LAS": image_las(DEPTHS, IMAGE), "DLIS": dlis(tmp_path / "a.dlis", frames).read_bytes()}
    monkeypatch.setitem(sys.modules, reader, None)  # as good as not installed
    message = f"To read {kind} files, install the extra: pip install 'imgpipe[wells]'."
    assert refused(client, files[kind]) == message


def test_numbered_columns_become_a_log(client: FlaskClient) -> None:
    columns = {"DEPT": DEPTHS, "GR": range(4)} | {f"AMP{n + 1}": IMAGE[:, n].tolist() for n in range(20)}
    receipt = stored(client, las(columns))
    assert (receipt["source_width"], receipt["value_max"]) == (20, IMAGE[:, :20].max())


@pytest.mark.parametrize(("unit", "told"), [("mV", "mV"), ("m" * 60, "m" * 40), ("\x01", None)])
def test_the_unit_of_the_channel_is_that_of_the_values(
    client: FlaskClient, unit: str, told: str | None
) -> None:
    file = image_las(DEPTHS, IMAGE).replace(b" AMP[0]. :", f" AMP[0].{unit} :".encode())
    assert stored(client, file).get("value_unit") == told
    log = client.get("/api/frames/logs/well").json["data"]  # type: ignore[index]
    assert log.get("value_unit") == told


def test_a_file_without_an_image_is_refused_in_a_sentence(client: FlaskClient) -> None:
    message = refused(client, las({"DEPT": DEPTHS, "GR": [1, 2, 3, 4]}))
    assert message == "There is no image in the file; its channels are GR (1)."


def test_an_index_in_a_unit_that_depths_are_not_kept_in_is_refused(client: FlaskClient) -> None:
    assert "is in CM" in refused(client, image_las(DEPTHS, IMAGE, unit="CM"))


def test_an_index_of_time_is_refused(client: FlaskClient, tmp_path: Path) -> None:
    frames = {"MAIN": {"TIME": np.array(DEPTHS), "AMP": IMAGE}}
    kind = enums.FrameIndexType.NON_STANDARD
    file = dlis(tmp_path / "a.dlis", frames, unit=enums.Unit.SECOND, index_type=kind)
    assert "time" in refused(client, file.read_bytes())


def test_a_damaged_file_is_refused_and_nothing_is_stored(client: FlaskClient, tmp_path: Path) -> None:
    frames = {"MAIN": {"DEPTH": np.array(DEPTHS), "AMP": IMAGE}}
    file = dlis(tmp_path / "a.dlis", frames).read_bytes()
    assert refused(client, file[: len(file) // 2])
    assert refused(client, b"~Version\n~Curve\n~ASCII\n\0\0\0\n")


def test_another_unit_than_the_files_is_refused(client: FlaskClient) -> None:
    response = send(client, image_las(DEPTHS, IMAGE), depth_unit="ft")
    assert response.json["error"] == "depth_unit: the file says m, not ft"  # type: ignore[index]


def test_a_channel_of_a_csv_is_refused_by_name(client: FlaskClient) -> None:
    response = send(client, b"depth,a\n1,2\n", channel="AMP")
    assert response.json["details"] == {"parameter": "channel"}  # type: ignore[index]


def invoke(app: Flask, *words: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["frames", *words])
    return result.exit_code, result.output


def test_a_file_is_listed_and_imported_by_command(app: Flask, tmp_path: Path) -> None:
    channels = {"DEPTH": np.array(DEPTHS)[::-1], "AMP": IMAGE[::-1], "GR": np.array(DEPTHS)}
    file = str(dlis(tmp_path / "a.dlis", {"MAIN": channels}))
    code, listed = invoke(app, "inspect", file)
    assert code == 0
    assert listed.splitlines()[:3] == [
        "MAIN: 4 rows from 2890.0 to 2889.4 m",
        "  index DEPTH (depth), decreasing, 0.2 m apart",
        "  the index decreases; a log is stored in ascending depth",
    ]
    assert listed.splitlines()[-1].endswith("no image: it has one value at a depth")
    code, said = invoke(app, "import", file, "--log", "well", "--channel", "AMP", "--scale", "0:200")
    assert (code, "well: 4 rows from 2889.4 to 2890.0 m" in said) == (0, True)


@pytest.mark.parametrize("words", [("import", "--channel", "GR"), ("inspect",)])
def test_a_file_that_is_refused_ends_a_command_with_its_sentence(
    app: Flask, tmp_path: Path, words: tuple[str, ...]
) -> None:
    file = tmp_path / "a.las"
    file.write_bytes(b"~Version\n~Curve\n" if words[0] == "inspect" else image_las(DEPTHS, IMAGE))
    code, said = invoke(app, words[0], str(file), *words[1:])
    assert code == 1
    assert "Error: " in said
    assert "Traceback" not in said
