"""Depth logs as geologists have them: true values, holes, units and contrast, in by a form and out again."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.test_upload import refused
from tests.depths import ask, opened, raw, store
from tests.factories import post_form

REAL = b"""depth[ft],a,b,c
100,0,500,1000
101,250.5,-999.25,1000
102,-999.25,-999.25,2000
103.5,-50,10,20
"""
GREYS = [[0, 128, 255], [64, 0, 255], [0, 0, 255], [0, 3, 5]]


def send(client: FlaskClient, csv: bytes, **fields: str) -> TestResponse:
    return post_form(client, "/api/frames", {"file": ("a.csv", csv)}, **fields)


def receipt(client: FlaskClient, csv: bytes, **fields: str) -> dict[str, Any]:
    response = send(client, csv, **fields)
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json["data"]  # type: ignore[index]
    return data


@pytest.fixture
def well(client: FlaskClient) -> FlaskClient:
    """Return a client of an app that holds a small log of real values with holes, in feet."""
    receipt(client, REAL, scale="0:1000", null="-999.25")
    return client


def test_true_values_become_greys_and_the_log_tells_the_scale(client: FlaskClient) -> None:
    data = receipt(client, REAL, scale="0:1000", null="-999.25", log="real")
    told = {"value_min": 0.0, "value_max": 1000.0, "depth_unit": "ft", "clipped": 2, "rows": 4}
    assert {name: data[name] for name in told} == told
    log = client.get("/api/frames/logs/real").json["data"]  # type: ignore[index]
    kept = {"value_min": 0.0, "value_max": 1000.0, "null": [-999.25], "depth_unit": "ft", "holes": 3}
    assert {name: log[name] for name in kept} == kept
    assert raw(client, log="real", pixels="source").tolist() == GREYS


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("order", [1, -1], ids=["ascending", "descending"])
@pytest.mark.parametrize("terms", [{}, {"scale": "0:255"}, {"scale": "0:255", "missing": "allow"}])
def test_a_log_of_few_columns_is_kept_like_any_other(
    client: FlaskClient, width: int, order: int, terms: dict[str, str]
) -> None:
    greys = [[10 * row + column for column in range(width)] for row in range(1, 4)]
    lines = [f"{row},{','.join(map(str, grey))}\n" for row, grey in enumerate(greys)]
    receipt(client, f"depth{',a' * width}\n{''.join(lines[::order])}".encode(), **terms)
    assert raw(client, pixels="source").tolist() == greys


def test_a_plain_log_tells_nothing_of_scales(client: FlaskClient) -> None:
    store(client, b"depth,a\n1,2\n")
    log = client.get("/api/frames/logs/default").json["data"]  # type: ignore[index]
    assert not {"value_min", "value_max", "null", "depth_unit", "holes", "clipped"} & log.keys()


def test_a_scale_that_is_found_is_the_one_of_the_least_and_the_greatest(client: FlaskClient) -> None:
    data = receipt(client, b"depth,a,b\n2,-1.5,\n1,0.25,8.5\n", scale="auto", missing="allow")
    assert (data["value_min"], data["value_max"], data["clipped"]) == (-1.5, 8.5, 0)
    again = receipt(client, b"depth,a,b\n3,1e3,0\n", scale="auto")
    assert (again["value_min"], again["clipped"]) == (-1.5, 1)


def test_holes_are_told_and_masked_and_never_zeros(well: FlaskClient) -> None:
    both = ask(well, format="raw", pixels="source", mask="true").data
    assert [list(both[n : n + 3]) for n in range(0, 12, 3)] == GREYS
    assert list(both[12:]) == [255, 255, 255, 255, 0, 255, 0, 0, 255, 255, 255, 255]
    frames = ask(well).json["data"]["frames"]  # type: ignore[index]
    assert [frame["holes"] for frame in frames] == [0, 50, 100, 0]
    transparent = ask(well, format="png", colormap="gray", null_color="ff0000")
    assert opened(transparent.data)[2, 0].tolist() == [255, 0, 0]
    assert transparent.headers["X-Colormap"] == "gray"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"scale": "0.5:999.5"}, "scale: the log default has 0.0:1000.0, the upload 0.5:999.5."),
        ({"null": "-1"}, "null: the log default has -999.25, the upload -1.0."),
        ({"depth_unit": "m"}, "depth_unit: the log default has ft, the upload m."),
    ],
)
def test_another_scale_null_or_unit_is_a_conflict_that_names_both(
    well: FlaskClient, fields: dict[str, str], sentence: str
) -> None:
    assert refused(send(well, b"depth,a\n1,2\n", **fields), 409, "conflict")["error"] == sentence


def test_what_is_left_out_is_the_logs_own(well: FlaskClient) -> None:
    data = receipt(well, b"depth,a,b,c\n104,500,-999.25,1000.5\n")
    assert (data["value_max"], data["depth_unit"], data["clipped"]) == (1000.0, "ft", 1)
    assert raw(well, 104, 104, pixels="source").tolist() == [[128, 0, 255]]


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"scale": "5:5"}, "scale"),
        ({"scale": "nan:1"}, "scale"),
        ({"null": "x"}, "null"),
        ({"missing": "yes"}, "missing"),
        ({"depth_unit": "km"}, "depth_unit"),
        ({"depth_unit": "m"}, "depth_unit"),
    ],
)
def test_a_bad_wish_is_named_and_nothing_is_stored(
    client: FlaskClient, fields: dict[str, str], parameter: str
) -> None:
    wished = {"scale": "0:1", "null": "-999.25"} | fields
    refusal = refused(send(client, REAL, **wished), 400, "invalid_parameter")
    assert refusal["details"]["parameter"] == parameter
    assert client.get("/api/frames/logs").json["data"] == []  # type: ignore[index]


def test_an_end_that_is_left_out_is_open(well: FlaskClient) -> None:
    def depths(query: str) -> list[float]:
        page = well.get(f"/api/frames?{query}").json
        return [frame["depth"] for frame in page["data"]["frames"]]  # type: ignore[index]

    assert depths("") == [100, 101, 102, 103.5]
    assert depths("depth_min=102") == [102, 103.5]
    assert depths("depth_max=101") == [100, 101]
    refused(well.get("/api/frames?depth_min="), 400, "invalid_parameter")
    refused(well.get("/frames?depth_min=1"), 400, "invalid_parameter")


def test_another_unit_is_asked_and_told_in(well: FlaskClient) -> None:
    response = ask(well, 30.48, 30.7848, unit="m", format="raw")
    assert response.headers["X-Frame-Rows"] == "2"
    assert response.headers["X-Frame-Depth-Unit"] == "m"
    assert float(response.headers["X-Frame-Depth-Max"]) == float(Fraction(101) * Fraction(3048, 10_000))
    page = ask(well, unit="m").json
    assert page is not None
    assert (page["data"]["depth_unit"], page["data"]["depth_min"]) == ("m", 30.48)
    bounds = refused(ask(well, 1, 2, unit="m"), 404, "no_frames")["details"]
    assert (bounds["depth_min"], bounds["depth_max"]) == (
        30.48,
        float(Fraction("103.5") * Fraction("0.3048")),
    )


def test_a_log_whose_unit_is_not_known_is_not_converted(client: FlaskClient) -> None:
    store(client, b"depth,a\n1,2\n")
    assert refused(ask(client, unit="ft"), 400, "invalid_parameter")["details"] == {"parameter": "unit"}


def test_csv_uploads_again_to_the_same_log(well: FlaskClient) -> None:
    written = well.get("/api/frames?format=csv")
    assert written.mimetype == "text/csv"
    assert written.data.startswith(b"depth[ft],p1,p2,p3\n100.0,0.0,")
    receipt(well, written.data, log="again", scale="0:1000", null="-999.25")
    for query in ({"pixels": "source", "mask": "true"}, {"mask": "true"}):
        first, second = (ask(well, format="raw", log=log, **query).data for log in ("default", "again"))
        assert first == second


def test_a_jpeg_is_one_too(well: FlaskClient) -> None:
    response = ask(well, format="jpeg", colormap_stops="0:000000,255:ffffff")
    assert response.mimetype == "image/jpeg"
    assert opened(response.data).shape == (4, 150, 3)
    assert response.headers["X-Colormap"] == "custom"


def linear(values: list[int], seen: list[int]) -> list[int]:
    """Stretch from the least to the greatest value seen, as the contract says."""
    low, high = min(seen), max(seen)
    if low == high:
        return [128 for _ in values]
    return [int(Fraction(255 * (value - low), high - low) + Fraction(1, 2)) for value in values]


def test_contrast_is_of_the_log_or_of_a_window_and_the_same_in_every_answer(
    client: FlaskClient,
) -> None:
    values = [(37 * n) % 200 + 20 for n in range(2_500)]
    store(client, b"depth,a\n" + b"".join(b"%d,%d\n" % (n, value) for n, value in enumerate(values)))
    query = {"contrast": "linear", "percentiles": "0,100"}
    whole = raw(client, 10, 19, **query)[:, 0].tolist()
    assert whole == linear(values[10:20], values)
    moving = raw(client, 990, 1_010, window="6", **query)[:, 0].tolist()
    expected = [linear([values[n]], values[n - 3 : n + 4])[0] for n in range(990, 1_011)]
    assert moving == expected
    pages = ask(client, 990, 1_010, window="6", colormap="gray", **query).json
    older = client.get(
        "/frames",
        query_string={"depth_min": 990, "depth_max": 1_010, "window": "6", "colormap": "gray", **query},
    ).json
    assert [frame["image"] for frame in pages["data"]["frames"]] == older  # type: ignore[index]


def test_contrast_goes_with_resized_pixels_only(well: FlaskClient) -> None:
    for query in ({"pixels": "source", "format": "raw"}, {"format": "csv"}):
        body = refused(ask(well, contrast="linear", **query), 400, "invalid_parameter")
        assert body["details"]["parameter"] == "contrast"


def test_a_picture_of_too_many_pixels_names_max_rows(client: FlaskClient) -> None:
    width = 10_000
    lines = (b"%d" % n + b",1" * width + b"\n" for n in range(2_001))
    store(client, b"depth" + b",c" * width + b"\n" + b"".join(lines))
    body = refused(ask(client, format="png", pixels="source"), 400, "invalid_parameter")
    assert body["details"] == {"parameter": "max_rows", "rows": 2_001, "limit": 2_000}
    assert ask(client, format="png", pixels="source", max_rows=2_000).status_code == 200


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_may_be_cut_by_commas_semicolons_or_tabs(client: FlaskClient, delimiter: str) -> None:
    comma = "." if delimiter == "," else ","
    text = f"DEPTH;a;b\n9000{comma}1;1;2{comma}0\n;;\n9000{comma}2;3;4\n".replace(";", delimiter)
    data = store(client, text.encode())
    assert (data["depth_min"], data["depth_max"], data["skipped"]) == (9000.1, 9000.2, 1)
    assert np.array_equal(raw(client, pixels="source"), [[1, 2], [3, 4]])


def test_a_quoted_decimal_comma_is_one_between_commas_too(client: FlaskClient) -> None:
    data = store(client, b'depth,a,b\n"9000,5","1","2"\n"9001,5","3,0",4\n')
    assert (data["depth_min"], data["depth_max"]) == (9000.5, 9001.5)
    assert raw(client, pixels="source").tolist() == [[1, 2], [3, 4]]


def test_lines_whose_depth_comes_again_are_counted(client: FlaskClient) -> None:
    data = store(client, b"depth,a\n1,1\n2,2\n1,3\n1,4\n")
    assert (data["rows"], data["duplicates"]) == (2, 2)
    assert raw(client, pixels="source").tolist() == [[4], [2]]
