"""Show, delete, retry and download one picture."""

from functools import partial
from typing import Any

from flask import Response, request

from imgpipe.api.editing import tag
from imgpipe.api.http import files
from imgpipe.api.http.blueprint import Blueprint
from imgpipe.api.http.scopes import READ, READ_OR_UPLOAD
from imgpipe.api.http.share import Share
from imgpipe.api.schemas import ImageSchema, WaitQuery, image_id
from imgpipe.database.models import Image
from imgpipe.imaging.formats import FORMATS
from imgpipe.pictures import gallery
from imgpipe.pictures.gallery import Shown

blp = Blueprint("detail", __name__, description="One picture")


_waiters = Share(of=2)


def awaited(id: Any, wait_s: float) -> Shown:
    """Return the picture once it is no longer processing, or when the wait, or this process, ends."""
    if not wait_s or not _waiters.enter():
        return gallery.show(id)
    try:
        return gallery.await_end(id, wait_s)
    finally:
        _waiters.leave()


@blp.route("/api/images/<image:id>", scope=READ_OR_UPLOAD)
@blp.arguments(WaitQuery, location="query")
@blp.response(200, ImageSchema)
def show(query: dict[str, int], id: str) -> Shown:
    """Show a picture; with `wait`, as soon as it is no longer processing."""
    return awaited(image_id(id), query["wait"])


@blp.after_request
def _tag_shown(response: Response) -> Response:
    return tag(response) if request.endpoint == "detail.show" else response


@blp.route("/api/images/<image:id>", methods=["DELETE"])
@blp.response(204)
def delete(id: str) -> Response:
    """Delete a picture, its files and its comments, also while it is being processed."""
    gallery.delete(image_id(id))
    return Response(status=204)


@blp.route("/api/images/<id>/retry", methods=["POST"])
@blp.response(202, ImageSchema)
def retry(id: str) -> Image:
    """Run again what failed."""
    return gallery.retry(image_id(id))


@blp.route("/api/images/<id>/original", scope=READ)
@blp.response(200, {"type": "string", "format": "binary"}, content_type="image/*")
def original(id: str) -> Response:
    """Download the upload, byte for byte."""
    image = gallery.find_original(image_id(id))
    open_file = partial(gallery.open_original, image)
    name = _safe_name(image)
    mime = files.MIME[image.format]
    return files.send(open_file, image.size_bytes, mime, image.sha256, files.REVALIDATE, name)


def _safe_name(image: Image) -> str:
    """Return the display name with an ending that is true, so that no page passes for a picture."""
    if image.original_name.lower().endswith(FORMATS[image.format].suffixes):
        return image.original_name
    return f"{image.original_name}.{image.format}"
