"""Serve the derivatives, each as soon as it exists."""

from uuid import UUID

from flask import Response, request
from werkzeug.routing import UnicodeConverter

from imgpipe.api.http import files
from imgpipe.api.http.blueprint import Blueprint
from imgpipe.api.http.scopes import READ_OR_UPLOAD
from imgpipe.api.schemas import image_id
from imgpipe.errors import ThumbnailNotReady
from imgpipe.extensions import parts
from imgpipe.pictures import gallery


class ThumbnailName(UnicodeConverter):
    """Any name; which there are is the configuration's to say."""


blp = Blueprint("thumbnails", __name__, description="Thumbnails and the square")


@blp.route("/api/images/<id>/thumbnails/<thumbnail:name>", scope=READ_OR_UPLOAD)
@blp.response(200, {"type": "string", "format": "binary"}, content_type="image/*")
def thumbnail(id: str, name: str) -> Response:
    """Serve `small` (fits 128x128), `medium` (fits 512x512) or `square` (512x512, padded with black)."""
    about = image_id(id)
    if name not in parts.settings.thumbnails.names:
        gallery.find(about)
        raise ThumbnailNotReady
    if address := _elsewhere(about, name):
        return files.send_on(address)
    row, stream = gallery.open_thumbnail(about, name)
    return files.send(stream, row.size_bytes, files.MIME[row.format], row.etag, files.FOREVER)


def _elsewhere(about: UUID, name: str) -> str | None:
    """Return where the storage itself serves the bytes; such an address is good for GET alone."""
    if request.method != "GET":
        return None
    return parts.storage.url(gallery.find_thumbnail(about, name).key)
