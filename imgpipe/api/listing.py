"""List pictures, newest first, without end."""

from typing import Any

from imgpipe.api.http.blueprint import Blueprint
from imgpipe.api.http.scopes import READ
from imgpipe.api.schemas import ImageItemSchema, ImagesQuery, paged
from imgpipe.database.paging import Page
from imgpipe.pictures import gallery
from imgpipe.pictures.gallery import Shown

blp = Blueprint("listing", __name__, description="List pictures")


@blp.route("/api/images", scope=READ)
@blp.arguments(ImagesQuery, location="query")
@blp.response(200, paged(ImageItemSchema))
def list_images(query: dict[str, Any]) -> Page[Shown]:
    """List pictures by descending id; follow `next` to walk through all of them exactly once."""
    return gallery.page(**query)
