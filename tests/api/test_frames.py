"""Depth logs over HTTP: a CSV in by a form, frames, pictures and grey bytes out by depth."""

import base64
import gzip
import io
import json
import random
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from imgpipe.api.http.requests import IN_MEMORY_BYTES
from imgpipe.scanlines import colormap, resize
from tests.api.test_upload import refused
from tests.depths import (
    DEPTHS,
    IMAGE,
    ROWS,
    SOURCE_WIDTH,
    WIDTH,
    ask,
    borehole,
    opened,
    raw,
    send,
    shrunk,
    small,
    store,
)
from tests.factories import AppFactory, post_form
from tests.scanlines.logs import HEADER, make_log
from tests.servers import run

GREY = shrunk(IMAGE)
WIDE = make_log(DEPTHS[:3], IMAGE[:3])


@pytest.fixture
def well(client: FlaskClient) -> FlaskClient:
    """Return a client of an app that holds one real-looking log."""
    store(client, borehole())
    return client


def walk(client: FlaskClient, **query: Any) -> list[dict[str, Any]]:
    """Return all pages from the first on."""
    pages = [ask(client, **query).json]
    while pages[-1]["next"]:  # type: ignore[index]
        pages.append(client.get(pages[-1]["next"]).json)  # type: ignore[index]
    return pages  # type: ignore[return-value]


def frames_of(page: dict[str, Any]) -> list[float]:
    return [frame["depth"] for frame in page["data"]["frames"]]


# The way in


def test_a_form_file_is_stored_and_told_of(client: FlaskClient) -> None:
    response = send(client, borehole(), "Well A/7".replace("/", " "))
    assert response.status_code == 201
    assert response.headers["Location"] == "/api/frames/logs/Well%20A%207"
    assert response.json["data"] == {  # type: ignore[index]
        "log": "Well A 7",
        "rows": ROWS,
        "skipped": 1,
        "duplicates": 0,
        "replaced": 0,
        "depth_min": 9000.1,
        "depth_max": 9546.0,
        "depth_step": 0.1,
        "source_width": SOURCE_WIDTH,
        "width": WIDTH,
    }
    assert client.get(response.headers["Location"]).json["data"]["rows"] == ROWS  # type: ignore[index]


def test_the_log_is_called_default_unless_it_is_named(client: FlaskClient) -> None:
    assert store(client, small([1]))["log"] == "default"


def test_the_same_file_again_replaces_every_row(well: FlaskClient) -> None:
    receipt = store(well, borehole())
    assert (receipt["rows"], receipt["replaced"]) == (ROWS, ROWS)
    assert np.array_equal(raw(well), GREY)


@pytest.mark.parametrize(
    "parts", [{"file": ("a.csv", b"")}, {"other": ("a.csv", WIDE)}, {"file": (None, "x")}]
)
def test_a_request_without_file_or_with_an_empty_one_is_refused(client: FlaskClient, parts: Any) -> None:
    refused(post_form(client, "/api/frames", parts), 400, "no_file")


@pytest.mark.parametrize("body", [b"{}", WIDE])
def test_a_body_that_is_neither_form_nor_csv_is_refused(client: FlaskClient, body: bytes) -> None:
    refused(client.post("/api/frames", data=body, content_type="text/plain"), 400, "no_file")


@pytest.mark.parametrize("path", ["/api/frames", "/upload"])
def test_a_plain_body_of_csv_is_an_upload_too(client: FlaskClient, path: str) -> None:
    kind = {"content_type": "text/csv; charset=utf-8"}
    assert client.post(f"{path}?log=plain", data=WIDE, **kind).status_code in (200, 201)
    assert np.array_equal(raw(client, log="plain"), GREY[:3])
    refused(client.post(path, data=b"", **kind), 400, "no_file")
    refused(client.post(path, data=b"{}", **kind), 400, "invalid_csv")
    refused(client.post(f"{path}?log=a/b", data=WIDE, **kind), 400, "invalid_parameter")


def test_a_plain_body_has_the_limit_of_a_file(make_app: AppFactory) -> None:
    client = make_app(IMGPIPE_MAX_CSV_BYTES=str(len(WIDE))).test_client()
    assert client.post("/api/frames", data=WIDE, content_type="text/csv").status_code == 201
    refused(client.post("/api/frames", data=WIDE + b"\n", content_type="text/csv"), 413, "too_large")


def test_two_files_in_one_request_are_refused(client: FlaskClient) -> None:
    two = {"file": [(io.BytesIO(WIDE), "a.csv"), (io.BytesIO(WIDE), "b.csv")]}
    refused(client.post("/api/frames", data=two), 400, "invalid_parameter")


@pytest.mark.parametrize("log", ["", "a/b", "x" * 101, "a\0"])
def test_a_bad_name_is_refused_by_name(client: FlaskClient, log: str) -> None:
    form: dict[str, tuple[str | None, bytes | str]] = {"file": ("a.csv", WIDE), "log": (None, log)}
    body = refused(post_form(client, "/api/frames", form), 400, "invalid_parameter")
    assert body["details"] == {"parameter": "log"}


def test_a_file_over_the_limit_is_too_large_and_one_at_it_is_not(make_app: AppFactory) -> None:
    client = make_app(IMGPIPE_MAX_CSV_BYTES=str(len(WIDE))).test_client()
    store(client, WIDE)
    refused(send(client, WIDE + b"\n"), 413, "too_large")
    refused(send(client, WIDE + b"\n" * 2**20), 413, "too_large")


def test_a_file_too_large_for_memory_takes_the_same_way(client: FlaskClient) -> None:
    header, _, rows = WIDE.partition(b"\n")
    csv = header + b"\n" + rows * (IN_MEMORY_BYTES // len(rows) + 1)
    assert store(client, csv)["rows"] == 3
    assert np.array_equal(raw(client), GREY[:3])


def test_millions_of_blank_lines_are_skipped(client: FlaskClient) -> None:
    receipt = store(client, WIDE + b"\n" * 5_000_000)
    assert (receipt["rows"], receipt["skipped"]) == (3, 5_000_000)


# What is not a depth log


def bad(line: bytes) -> bytes:
    return HEADER + b"1,7,8,9\n" + line + b"\n" + b"4,7,8,9\n"


BAD = {
    **{
        f"depth {text or 'empty'}": bad(text.encode() + b",1,2,3")
        for text in ("nan", "inf", "1e400", "1_000", "")
    },
    "depth missing": bad(b"7,8,9"),
    **{
        f"pixel {text or 'empty'}": bad(f"2,1,{text},3".encode())
        for text in ("-1", "256", "1.5", "", "''", "NaN", "x")
    },
    "199 cells": WIDE + b"9" + b",7" * 199 + b"\n",
    "201 cells": WIDE + b"9" + b",7" * 201 + b"\n",
    "trailing column": bad(b"2,7,8,9,"),
    "no header": b"1,7,8,9\n2,7,8,9\n",
    "depth not first": b"a,depth,b\n1,2,3\n",
    "depth twice": b"depth,a,depth\n1,2,3\n",
    "utf-16": small([1, 2]).decode().encode("utf-16"),
    "latin-1": "depth,größe\n1,2\n".encode("latin-1"),
    "cr only": small([1, 2]).replace(b"\n", b"\r"),
    "quoted newline": bad(b'2,7,"8\n",9'),
    "nul": bad(b"2,7,8\0,9"),
    "an unclosed quote over 50 MB": WIDE + b'9,"7\n' + b"1" * (50 * 2**20),
    "a million columns": b"depth" + b",c" * 1_000_000 + b"\n1" + b",7" * 1_000_000 + b"\n",
    "no rows": HEADER,
    "blank rows": HEADER + b"\n,,,\n",
    "gzip": gzip.compress(WIDE, mtime=0),
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(99),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_csv_is_refused_with_the_place_and_nothing_is_stored(client: FlaskClient, name: str) -> None:
    body = refused(send(client, BAD[name]), 400, "invalid_csv")
    fault = body["details"]["errors"][0]
    assert set(fault) == {"line", "column", "found", "expected"}
    assert fault["line"] >= 1
    assert body["details"]["more"] >= 0
    assert client.get("/api/frames/logs").json["data"] == []  # type: ignore[index]


def test_the_report_lists_twenty_faults_and_counts_the_others(client: FlaskClient) -> None:
    body = refused(send(client, HEADER + b"1,7,8,9\n" + b"2,7,300,9\n" * 33), 400, "invalid_csv")
    listed = body["details"]["errors"]
    assert (len(listed), body["details"]["more"]) == (20, 13)
    assert listed[0] == {"line": 3, "column": "b", "found": "300", "expected": "a whole number from 0 to 255"}
    assert "line 3, column b" in body["error"]


FINE = {
    "bom": b"\xef\xbb\xbf" + WIDE,
    "crlf": WIDE.replace(b"\n", b"\r\n"),
    "quoted": make_log(DEPTHS[:3], IMAGE[:3], spell='"{}"'.format),
    "blanks": make_log(DEPTHS[:3], IMAGE[:3], spell=" {} ".format),
    "12.0": make_log(DEPTHS[:3], IMAGE[:3], spell="{}.0".format),
    "unsorted": make_log(DEPTHS[2::-1], IMAGE[2::-1]),
    "blank lines": WIDE.replace(b"\n", b"\n\n"),
    "other names": WIDE.replace(b"col", b"radius "),
    "no end": WIDE.rstrip(b"\n"),
    "a depth twice": make_log([DEPTHS[1], *DEPTHS[:3]], IMAGE[[2, 0, 1, 2]]),
}


@pytest.mark.parametrize("name", FINE)
def test_what_is_fine_is_stored_alike(client: FlaskClient, name: str) -> None:
    assert store(client, FINE[name])["rows"] == 3
    assert np.array_equal(raw(client, pixels="source"), IMAGE[:3])
    assert np.array_equal(raw(client), GREY[:3])


# The way out


def test_random_ranges_equal_a_recomputation_from_the_csv(well: FlaskClient) -> None:
    draw, table = random.Random(1), colormap.lut("viridis")
    for _ in range(12):
        first, last = sorted((draw.randrange(ROWS), draw.randrange(ROWS)))
        bounds = DEPTHS[first], DEPTHS[last]
        expected = GREY[first : last + 1]
        assert np.array_equal(raw(well, *bounds), expected)
        assert np.array_equal(raw(well, *bounds, pixels="source"), IMAGE[first : last + 1])
        picture = ask(well, *bounds, format="png", colormap="viridis")
        assert np.array_equal(opened(picture.data), table[expected])
        told = {name.lower(): value for name, value in picture.headers.items() if name.startswith("X-Frame")}
        assert told == {
            "x-frame-rows": str(len(expected)),
            "x-frame-width": "150",
            "x-frame-depth-min": str(bounds[0]),
            "x-frame-depth-max": str(bounds[1]),
        }


def test_the_ends_of_a_range_belong_to_it(well: FlaskClient) -> None:
    assert len(raw(well, "9000.1", "9000.1")) == 1
    assert len(raw(well, "9000.10000000001", "9000.3")) == 2
    assert len(raw(well, "-1e3", "9000.1")) == 1
    assert len(raw(well, "9545.95", ".1E5")) == 1


def test_json_frames_are_one_coloured_png_a_depth(well: FlaskClient) -> None:
    body = ask(well, 9000.1, 9000.5, colormap="gray").json
    assert body is not None
    frames = body["data"].pop("frames")
    assert body == {
        "status": "success",
        "data": {
            "log": "default",
            "width": 150,
            "count": 5,
            "colormap": "gray",
            "depth_min": 9000.1,
            "depth_max": 9000.5,
        },
        "next": None,
        "previous": None,
        "error": None,
    }
    assert [frame["depth"] for frame in frames] == DEPTHS[:5]
    for frame, row in zip(frames, GREY, strict=False):
        assert np.array_equal(opened(base64.b64decode(frame["image"]))[0, :, 0], row)


def test_the_default_map_is_the_one_that_the_docs_name(well: FlaskClient) -> None:
    body = ask(well, 9000.1, 9000.1).json
    assert body is not None
    assert body["data"]["colormap"] == colormap.DEFAULT
    image = opened(base64.b64decode(body["data"]["frames"][0]["image"]))
    assert np.array_equal(image, colormap.lut()[GREY[:1]])


def test_pages_hold_every_frame_once_and_lead_back(well: FlaskClient) -> None:
    pages = walk(well, limit=1_700, depth_min=9000.2)
    assert [page["data"]["count"] for page in pages] == [1_700, 1_700, 1_700, 359]
    assert [depth for page in pages for depth in frames_of(page)] == DEPTHS[1:]
    back = well.get(pages[-1]["previous"]).json
    assert back is not None
    assert frames_of(back) == frames_of(pages[2])
    assert pages[0]["previous"] is None
    assert json.dumps(well.get(back["next"]).json) == json.dumps(pages[3])


def test_a_page_has_1000_frames_unless_asked_and_at_most_10000(well: FlaskClient) -> None:
    body = ask(well).json
    assert body is not None
    assert body["data"]["count"] == 1_000
    assert "limit=" not in urlsplit(body["next"]).query
    refused(ask(well, limit=10_001), 400, "invalid_parameter")


@pytest.mark.parametrize("cursor", ["x", "é" * 20, "A" * 20, "=" * 20])
def test_a_cursor_that_we_did_not_give_out_is_refused(well: FlaskClient, cursor: str) -> None:
    refused(ask(well, cursor=cursor), 400, "invalid_cursor")


def test_webp_shows_the_very_colours(well: FlaskClient) -> None:
    answer = ask(well, 9000.1, 9010, format="webp", colormap="turbo_r")
    assert answer.mimetype == "image/webp"
    assert np.array_equal(opened(answer.data), colormap.lut("turbo_r")[GREY[:100]])


def test_stops_of_ones_own_colour_a_picture(well: FlaskClient) -> None:
    stops = "0:000000,255:ff0000"
    picture = opened(ask(well, 9000.1, 9001, format="png", colormap_stops=stops).data)
    assert np.array_equal(picture[..., 0], GREY[:10])
    assert not picture[..., 1:].any()


def test_max_rows_averages_neighbouring_rows(well: FlaskClient) -> None:
    averaged = raw(well, 9000.1, 9500, max_rows=1_000)
    means = GREY[:5_000].reshape(1_000, 5, 150).astype(int).sum(axis=1)
    assert np.array_equal(averaged, (means + 2) // 5)
    picture = ask(well, format="png", max_rows=7, colormap="gray")
    assert picture.headers["X-Frame-Rows"] == "7"
    expected = np.concatenate([*resize.average_rows([GREY], ROWS, 7)])
    assert np.array_equal(opened(picture.data)[..., 0], expected)
    assert len(raw(well, max_rows=100_000)) == ROWS


def test_a_picture_that_would_be_too_tall_names_max_rows(client: FlaskClient) -> None:
    store(client, small([n / 10 for n in range(100_001)], width=1))
    for kind in ("png", "webp"):
        body = refused(ask(client, format=kind), 400, "invalid_parameter")
        assert body["details"]["parameter"] == "max_rows"
        assert ask(client, format=kind, max_rows=500).headers["X-Frame-Rows"] == "500"
    whole = ask(client, format="png", pixels="source", max_rows=100_000)
    assert opened(whole.data).shape == (100_000, 1, 3)
    assert len(raw(client, pixels="source")) == 100_001


def test_mixed_widths_are_refused_as_uploaded_only_where_they_meet(client: FlaskClient) -> None:
    store(client, small([1, 2], width=7))
    store(client, small([3], width=9))
    body = refused(ask(client, format="png", pixels="source"), 400, "invalid_parameter")
    assert body["details"] == {"parameter": "pixels", "source_widths": [7, 9]}
    assert raw(client, 1, 2, pixels="source").shape == (2, 7)
    assert raw(client).shape == (3, 150)


def test_no_row_in_range_tells_the_bounds_of_the_log(well: FlaskClient) -> None:
    for kind in ("json", "png", "webp", "raw"):
        body = refused(ask(well, 1, 2, format=kind), 404, "no_frames")
        assert body["details"] == {"log": "default", "rows": ROWS, "depth_min": 9000.1, "depth_max": 9546.0}


def test_an_unknown_log_is_not_found(client: FlaskClient) -> None:
    refused(ask(client), 404, "log_not_found")
    refused(client.get("/api/frames/logs/nothing"), 404, "log_not_found")
    refused(client.delete("/api/frames/logs/nothing"), 404, "log_not_found")


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        *[
            ({"depth_min": text, "depth_max": "9"}, "depth_min")
            for text in ("nan", "inf", "1e400", "1_0", "", "٣")
        ],
        *[
            ({"depth_min": "1", "depth_max": text}, "depth_max")
            for text in ("NaN", "x", " 2", "0x9", "+2", "1e")
        ],
        ({"depth_min": "2", "depth_max": "1"}, "depth_min"),
        ({"format": "gif"}, "format"),
        ({"colormap": "nope"}, "colormap"),
        ({"colormap_stops": "1:2"}, "colormap_stops"),
        ({"limit": "0"}, "limit"),
        ({"limit": "١"}, "limit"),
        ({"max_rows": "0", "format": "png"}, "max_rows"),
        ({"max_rows": "9"}, "max_rows"),
        ({"pixels": "best", "format": "raw"}, "pixels"),
        ({"pixels": "source"}, "pixels"),
        ({"pixels": "source", "format": "webp"}, "pixels"),
        ({"limit": "9", "format": "png"}, "limit"),
        ({"log": "a/b"}, "log"),
    ],
)
def test_a_bad_parameter_is_named(client: FlaskClient, query: dict[str, str], parameter: str) -> None:
    store(client, small([1]))
    bounds = {} if "depth_min" in query or "depth_max" in query else {"depth_min": "1", "depth_max": "2"}
    body = refused(client.get("/api/frames", query_string=bounds | query), 400, "invalid_parameter")
    assert body["details"]["parameter"] == parameter


@pytest.mark.parametrize("kind", ["json", "png", "webp", "raw"])
def test_an_etag_changes_when_the_log_does_and_spares_the_bytes_until_then(
    client: FlaskClient, kind: str
) -> None:
    store(client, small([1, 2], seed=1))
    first = ask(client, format=kind)
    tag = first.headers["ETag"]
    assert not first.headers["ETag"].startswith("W/")
    path, query = "/api/frames", {"depth_min": -1e9, "depth_max": 1e9, "format": kind}
    again = client.get(path, query_string=query, headers={"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    assert ask(client, format=kind, colormap="viridis_r").headers["ETag"] != tag
    client.delete("/api/frames/logs/default")
    store(client, small([1, 2], seed=2))
    changed = client.get(path, query_string=query, headers={"If-None-Match": tag})
    assert (changed.status_code, changed.data == first.data) == (200, False)


def test_logs_are_listed_page_by_page_and_deleted_alone(client: FlaskClient) -> None:
    for name in ("a", "b", "ö c"):
        store(client, small([1, 2.5, 4]), name)
    page = client.get("/api/frames/logs?limit=2").json
    assert page is not None
    rest = client.get(page["next"]).json
    assert rest is not None
    logs = [*page["data"], *rest["data"]]
    assert [log["log"] for log in logs] == ["ö c", "b", "a"]
    fixed = {"rows": 3, "depth_min": 1.0, "depth_max": 4.0, "depth_step": 1.5, "uploads": 1}
    widths = {"width": 150, "source_width": 4, "source_widths": [4]}
    assert {name: logs[0][name] for name in fixed | widths} == fixed | widths
    assert client.delete("/api/frames/logs/%C3%B6%20c").status_code == 204
    assert [log["log"] for log in client.get("/api/frames/logs").json["data"]] == ["b", "a"]  # type: ignore[index]
    assert len(raw(client, log="b")) == 3


def test_the_maps_are_listed_with_pictures(client: FlaskClient) -> None:
    maps = client.get("/api/frames/colormaps").json["data"]  # type: ignore[index]
    assert maps[0]["name"] == colormap.DEFAULT
    assert {"gray", "viridis"} <= {entry["name"] for entry in maps}
    assert all(entry["description"] for entry in maps)
    gray = next(entry for entry in maps if entry["name"] == "gray")
    pixels = opened(base64.b64decode(gray["preview"].removeprefix("data:image/png;base64,")))
    assert np.array_equal(pixels[0, :, 0], np.arange(256))


# Older clients


def test_the_old_upload_answers_as_documented(client: FlaskClient) -> None:
    response = send(client, WIDE, path="/upload")
    assert response.status_code == 200
    assert response.json is not None
    assert response.json["message"] == "CSV data uploaded successfully"
    assert response.json["rows"] == 3
    refused(send(client, bad(b"x"), path="/upload"), 400, "invalid_csv")


def test_the_old_frames_are_a_bare_array_in_order(well: FlaskClient) -> None:
    response = well.get("/frames?depth_min=9000.1&depth_max=9500")
    assert response.mimetype == "application/json"
    frames = response.json
    assert frames is not None
    assert len(frames) == 5_000
    rows = np.concatenate([opened(base64.b64decode(frame)) for frame in frames[::500]])
    assert np.array_equal(rows, colormap.lut()[GREY[:5_000:500]])


def test_the_old_frames_are_empty_where_there_is_no_row(client: FlaskClient) -> None:
    assert client.get("/frames?depth_min=1&depth_max=2").json == []
    store(client, small([5]))
    assert client.get("/frames?depth_min=1&depth_max=2").json == []
    refused(client.get("/frames?depth_min=1&depth_max=2&log=other"), 404, "log_not_found")
    refused(client.get("/frames?depth_min=1"), 400, "invalid_parameter")


# The command line


def test_the_command_stores_a_file(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_bytes(WIDE)
    assert run("python init_db.py", tmp_path).returncode == 0
    done = run(f"flask --app wsgi frames import {tmp_path / 'log.csv'} --log deep", tmp_path)
    assert done.returncode == 0
    assert "deep: 3 rows from 9000.1 to 9000.3, 0 of them replaced" in done.stdout


def test_the_command_explains_a_bad_file_line_by_line(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_bytes(HEADER + b"1,7,8,9\n" + b"x,7,300,9\n" * 15)
    done = app.test_cli_runner().invoke(args=["frames", "import", str(tmp_path / "log.csv")])
    assert done.exit_code == 1
    assert "  line 3, column depth: found 'x', expected a finite number\n" in done.output
    assert "  line 3, column b: found '300', expected a whole number from 0 to 255\n" in done.output
    assert done.output.endswith("  and 10 more\n")
