import io
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

from imgpipe.errors import InvalidParameter
from imgpipe.scanlines import colormap


@pytest.mark.parametrize("name", colormap.NAMES)
def test_every_map_has_256_colours_that_cannot_be_changed(name: str) -> None:
    table = colormap.lut(name)
    assert table.shape == (256, 3)
    assert not table.flags.writeable


def test_gray_is_the_identity() -> None:
    assert (colormap.lut("gray") == np.arange(256)[:, None]).all()


def test_viridis_is_the_one_that_everybody_knows() -> None:
    assert colormap.lut("viridis")[[0, 255]].tolist() == [[68, 1, 84], [253, 231, 37]]


@pytest.mark.parametrize("name", colormap.NAMES)
def test_r_behind_a_name_reverses_it(name: str) -> None:
    assert np.array_equal(colormap.lut(f"{name}_r"), colormap.lut(name)[::-1])


def test_the_default_map_rises_evenly_in_lightness() -> None:
    lightness = colormap.lut() @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness[::8]) > 0).all()


@pytest.mark.parametrize("name", ["", "jet?", "VIRIDIS", "viridis_r_r", "_r", "../gray"])
def test_an_unknown_name_is_told_the_valid_ones(name: str) -> None:
    with pytest.raises(InvalidParameter, match="viridis") as refusal:
        colormap.lut(name)
    assert refusal.value.details["valid"] == list(colormap.NAMES)


def test_custom_stops_are_linear_between_and_constant_outside() -> None:
    table = colormap.lut(stops="10:000000, 20:0a14ff,30:ffffff")
    assert table[[0, 10, 11, 15, 20, 255]].tolist() == [
        [0, 0, 0],
        [0, 0, 0],
        [1, 2, 26],
        [5, 10, 128],
        [10, 20, 255],
        [255, 255, 255],
    ]


def test_black_to_white_is_gray() -> None:
    assert np.array_equal(colormap.lut(stops="0:000000,255:FFFFFF"), colormap.lut("gray"))


@pytest.mark.parametrize(
    "stops",
    [
        "",
        "0:000000",
        "0:000000,0:ffffff",
        "9:000000,3:ffffff",
        "0:000000,256:ffffff",
        "0:000,255:fff",
        "0:00000g,255:ffffff",
        "-1:000000,255:ffffff",
        "0:000000,,255:ffffff",
        "٠:000000,255:ffffff",
        "0:000000;255:ffffff",
    ],
)
def test_stops_that_make_no_map_are_refused(stops: str) -> None:
    with pytest.raises(InvalidParameter, match="VALUE:RRGGBB"):
        colormap.lut(stops=stops)


def test_the_catalogue_lists_the_default_first_and_shows_every_map() -> None:
    entries = colormap.catalogue()
    assert entries[0].name == colormap.DEFAULT
    for entry in entries:
        head, _, picture = entry.preview.partition(",")
        with Image.open(io.BytesIO(b64decode(picture))) as preview:
            shown = np.asarray(preview.convert("RGB"))[0]
        assert head == "data:image/png;base64"
        assert np.array_equal(shown, colormap.lut(entry.name))
        assert entry.description
