"""Find pictures by their bytes, and those that look alike."""

import re
from collections.abc import Sequence

import marshmallow as ma
from marshmallow import fields

from imgpipe.api.http import links
from imgpipe.api.http.blueprint import Blueprint
from imgpipe.api.http.scopes import READ, READ_OR_UPLOAD
from imgpipe.api.schemas import DEFAULT_LIMIT, MAX_LIMIT, Digits, ImageItemSchema, image_id
from imgpipe.database.models import Image
from imgpipe.errors import ImageNotFound
from imgpipe.pictures import alike, gallery
from imgpipe.pictures.alike import Alike

_SHA256 = re.compile("[0-9a-f]{64}", re.IGNORECASE)
blp = Blueprint("similar", __name__, description="Find the same bytes, and pictures that look alike")


class SimilarQuery(ma.Schema):
    """How alike, and how many of them."""

    distance = Digits(
        0,
        alike.FARTHEST,
        load_default=alike.DISTANCE,
        metadata={"description": "bits of 64 in which the perceptual hashes may differ"},
    )
    limit = Digits(1, MAX_LIMIT, load_default=DEFAULT_LIMIT)


class AlikeSchema(ImageItemSchema):
    """A picture as in lists, with its distance, and whether it is the very same bytes."""

    distance = fields.Integer()
    same = fields.Boolean()

    @ma.pre_dump
    def _show(self, alike: Alike, **_: object) -> Image:
        return alike.image

    @ma.post_dump(pass_original=True)
    def _compare(self, data: dict[str, object], alike: Alike, **_: object) -> dict[str, object]:
        return {**data, "distance": alike.distance, "same": alike.same}


@blp.route("/api/images/<id>/similar", scope=READ)
@blp.arguments(SimilarQuery, location="query")
@blp.response(200, AlikeSchema(many=True))
def similar(query: dict[str, int], id: str) -> Sequence[Alike]:
    """List the pictures that look like this one, nearest first; `same` marks those of the same bytes."""
    return alike.find(gallery.find(image_id(id)), query["distance"], query["limit"])


@blp.route("/api/images/by-sha256/<hex>", scope=READ_OR_UPLOAD)
@blp.response(200, ImageItemSchema)
def by_sha256(hex: str) -> tuple[Image, int, dict[str, str]]:
    """Show the oldest picture of these bytes that did not fail; `HEAD` tells whether there is one."""
    image = gallery.find_bytes(hex.lower()) if _SHA256.fullmatch(hex) else None
    if image is None:
        raise ImageNotFound
    return image, 200, {"Location": links.image(image.id)}
