"""Serve the derivatives, each as soon as it exists."""

from functools import partial

from flask import Response
from werkzeug.routing import UnicodeConverter

from imgpipe.api.http import files
from imgpipe.api.http.blueprint import Blueprint
from imgpipe.api.http.requests import current
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
    row = gallery.find_thumbnail(about, name)
    # An address in the storage itself is good for GET alone.
    if current().method == "GET" and (address := parts.storage.url(row.key)):
        return files.send_on(address)
    open_file = partial(gallery.open_thumbnail, row.key)
    return files.send(open_file, row.size_bytes, files.MIME[row.format], row.etag, files.FOREVER)
