"""Figures over HTTP: logs side by side, true to scale, in one unit."""

import io

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from tests.api.test_upload import refused
from tests.depths import store
from tests.factories import post_form
from tests.scanlines.logs import make_image, make_log

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

DEPTHS = [float(f"{9000 + n / 10:.1f}") for n in range(60)]
CSV = make_log(DEPTHS, make_image(60, 40))


@pytest.fixture
def well(client: FlaskClient) -> FlaskClient:
    """Return a client of an app with a log in metres of true values."""
    said = {"log": "a", "depth_unit": "m", "scale": "0:255", "value_unit": "ohm.m"}
    assert post_form(client, "/api/frames", {"file": ("a.csv", CSV)}, **said).status_code == 201
    return client


def figure(client: FlaskClient, **query: object) -> TestResponse:
    return client.get("/api/frames/figure", query_string={"log": "a", **query})


@pytest.mark.parametrize(
    ("format", "media_type", "magic"),
    [
        ("png", "image/png", b"\x89PNG"),
        ("svg", "image/svg+xml", b"<?xml"),
        ("pdf", "application/pdf", b"%PDF"),
    ],
)
def test_a_log_is_drawn_in_every_format(
    well: FlaskClient, format: str, media_type: str, magic: bytes
) -> None:
    response = figure(well, format=format, title="A well", depth_min=9001, depth_max=9002)
    assert (response.status_code, response.mimetype) == (200, media_type)
    assert response.data.startswith(magic)


def test_names_units_and_true_values_stand_in_a_figure(well: FlaskClient) -> None:
    text = figure(well, format="svg", title="$x^$", scale="1:50").text
    for told in ("a (ohm.m)", "depth (m)", "$x^$", "1:50", "255"):
        assert told in text


def test_logs_of_different_units_need_one_to_be_drawn_in(well: FlaskClient) -> None:
    said = {"log": "b", "depth_unit": "ft"}
    assert post_form(well, "/api/frames", {"file": ("b.csv", CSV)}, **said).status_code == 201
    both = "/api/frames/figure?log=a&log=b"
    refused(well.get(both), 400, "invalid_parameter")
    assert well.get(f"{both}&unit=m").status_code == 200
    picture = Image.open(io.BytesIO(well.get(f"{both}&unit=m").data))
    alone = Image.open(io.BytesIO(figure(well).data))
    assert picture.width > alone.width


@pytest.mark.parametrize("contrast", [{"contrast": "linear"}, {"contrast": "equalize", "window": "1"}])
def test_contrast_changes_the_picture(well: FlaskClient, contrast: dict[str, str]) -> None:
    plain, stretched = (
        np.asarray(Image.open(io.BytesIO(figure(well, **options).data))) for options in ({}, contrast)
    )
    assert not np.array_equal(plain, stretched)


def test_an_unchanged_figure_is_not_drawn_again(well: FlaskClient) -> None:
    etag = figure(well).headers["ETag"]
    again = well.get("/api/frames/figure?log=a", headers={"If-None-Match": etag})
    assert again.status_code == 304
    store(well, make_log([1.0], make_image(1, 40)), "other")
    assert well.get("/api/frames/figure?log=other", headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        {"scale": "1:1"},
        {"scale": "200"},
        {"format": "gif"},
        {"title": ""},
        {"title": "a\nb"},
        {"log": ["a"] * 7},
        {"unit": "km"},
        {"depth_min": "nan"},
        {"depth_min": 2, "depth_max": 1},
        {"null_color": "red"},
    ],
)
def test_what_cannot_be_drawn_is_refused(well: FlaskClient, query: dict[str, object]) -> None:
    refused(figure(well, **query), 400, "invalid_parameter")


def test_no_rows_and_no_log_are_told(well: FlaskClient) -> None:
    refused(figure(well, depth_min=1, depth_max=2), 404, "no_frames")
    refused(well.get("/api/frames/figure?log=none"), 404, "log_not_found")


def test_depths_without_a_unit_have_no_scale(client: FlaskClient) -> None:
    store(client, CSV, "a")
    assert figure(client).status_code == 200
    refused(figure(client, scale="1:200"), 400, "invalid_parameter")
