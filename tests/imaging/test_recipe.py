"""The recipe says which sizes there are, and everything follows it."""

from io import BytesIO

import pytest
from PIL import Image

from imgpipe.imaging.pipeline import run
from imgpipe.imaging.recipe import RECIPE, Recipe, read_recipe
from tests.factories import AppFactory, jpeg, shown, transparent_png, upload

LARGER = "small:128,medium:512,large:1280"


def test_the_standard_recipe_writes_itself_as_it_is_read() -> None:
    assert read_recipe(str(RECIPE)) == RECIPE
    assert RECIPE.names == ("small", "medium", "square")


def test_more_sizes_stand_between_the_standard_ones_and_the_square() -> None:
    recipe = read_recipe(f"large:1280, {RECIPE}")
    assert (recipe.names, recipe.largest_px) == (("large", "small", "medium", "square"), 1280)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "small:128",
        "medium:512",
        "small:100,medium:512",
        "small:128,medium:512,",
        "small:128,medium:512,large",
        "small:128,medium:512,large:15",
        "small:128,medium:512,large:4097",
        "small:128,medium:512,large:1e3",
        "small:128,medium:512,Large:1280",
        "small:128,medium:512,1st:1280",
        "small:128,medium:512,elevenchars:1280",
        "small:128,medium:512,square:600",
        "small:128,medium:512,large:1280,large:1280",
        "small=128,medium=512",
    ],
)
def test_a_malformed_table_is_refused(raw: str) -> None:
    with pytest.raises(ValueError):
        read_recipe(raw)


def test_every_size_is_made_and_none_is_enlarged() -> None:
    recipe = Recipe({"small": 128, "medium": 512, "large": 1280, "tiny": 16})
    made = {item.name: (item.width, item.height) for item in run(jpeg(1000, 500), recipe).derivatives}
    assert made == {
        "large": (1000, 500),
        "medium": (512, 256),
        "small": (128, 64),
        "tiny": (16, 8),
        "square": (512, 512),
    }


def test_another_quality_makes_other_bytes() -> None:
    coarse, fine = (run(jpeg(), Recipe(jpeg_quality=quality)).derivatives[0].data for quality in (40, 95))
    assert len(coarse) < len(fine)


def test_a_larger_size_is_named_served_and_documented(make_app: AppFactory) -> None:
    app = make_app(IMGPIPE_THUMBNAILS=LARGER)
    client = app.test_client()
    image_id = upload(client, jpeg(2000, 1000))
    urls = shown(client, image_id)["thumbnails"]
    assert list(urls) == ["small", "medium", "large", "square"]
    assert Image.open(BytesIO(client.get(urls["large"]).data)).size == (1280, 640)
    path = client.get("/api/openapi.json").json["paths"]["/api/images/{id}/thumbnails/{name}"]  # type: ignore[index]
    schemas = [parameter["schema"] for parameter in path["parameters"] if parameter["name"] == "name"]
    assert schemas == [{"type": "string", "enum": list(urls), "example": "medium"}]


def test_a_larger_transparent_one_keeps_its_alpha(make_app: AppFactory) -> None:
    client = make_app(IMGPIPE_THUMBNAILS=LARGER).test_client()
    image_id = upload(client, transparent_png(1500, 900))
    large = Image.open(BytesIO(client.get(f"/api/images/{image_id}/thumbnails/large").data))
    assert (large.mode, large.size) == ("RGBA", (1280, 768))


def test_a_size_that_is_not_configured_is_not_found(make_app: AppFactory) -> None:
    client = make_app().test_client()
    assert client.get(f"/api/images/{upload(client)}/thumbnails/large").status_code == 404
