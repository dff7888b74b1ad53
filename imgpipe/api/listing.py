"""List pictures, newest first, without end."""

from typing import Any

from imgpipe import images
from imgpipe.api.blueprint import Blueprint
from imgpipe.api.schemas import ImageItemSchema, ImagesQuery, paged
from imgpipe.models import Image
from imgpipe.paging import Page

blp = Blueprint("listing", __name__, description="List pictures")


@blp.route("/api/images")
@blp.arguments(ImagesQuery, location="query")
@blp.response(200, paged(ImageItemSchema))
def list_images(query: dict[str, Any]) -> Page[Image]:
    """List pictures by descending id; follow `next` to walk through all of them exactly once."""
    return images.page(**query)
