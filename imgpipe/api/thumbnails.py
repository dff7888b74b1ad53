"""Serve the derivatives, each as soon as it exists."""

from flask import Response

from imgpipe import images
from imgpipe.api import files
from imgpipe.api.blueprint import Blueprint
from imgpipe.api.schemas import THUMBNAILS, image_id
from imgpipe.errors import NotFound

blp = Blueprint("thumbnails", __name__, description="Thumbnails and the square")


@blp.route("/api/images/<id>/thumbnails/<name>")
@blp.response(200, {"type": "string", "format": "binary"}, content_type="image/*")
def thumbnail(id: str, name: str) -> Response:
    """Serve `small` (fits 128x128), `medium` (fits 512x512) or `square` (512x512, padded with black)."""
    if name not in THUMBNAILS:
        raise NotFound(f"There are {', '.join(THUMBNAILS)}.")
    row, stream = images.open_thumbnail(image_id(id), name)
    return files.send(stream, row.size_bytes, files.MIME[row.format], row.etag, files.FOREVER)
