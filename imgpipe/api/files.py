"""Send stored bytes: strong ETag, conditional and range requests, safe names."""

from typing import BinaryIO
from urllib.parse import quote

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wsgi import wrap_file

MIME = {"jpg": "image/jpeg", "png": "image/png"}
FOREVER = "private, max-age=31536000, immutable"
REVALIDATE = "private, no-cache"


def send(
    stream: BinaryIO, size_bytes: int, mime: str, etag: str, cache: str, download_name: str | None = None
) -> Response:
    """Stream ``size_bytes`` bytes, all of them or the range that the client asks for, or 304.

    ``download_name`` makes it an attachment. Raises: werkzeug's ``RequestedRangeNotSatisfiable``.
    """
    response = Response(
        wrap_file(request.environ, stream),
        mimetype=mime,
        direct_passthrough=True,
    )
    response.content_length = size_bytes
    response.set_etag(etag)
    response.headers["Cache-Control"] = cache
    if download_name is not None:
        response.headers.set("Content-Disposition", "attachment", **_file_names(download_name))
    try:
        response.make_conditional(request.environ, accept_ranges=True, complete_length=size_bytes)
    except RequestedRangeNotSatisfiable:
        stream.close()
        raise
    return response


def _file_names(name: str) -> dict[str, str]:
    """Spell a file name for a header: plain where it is ASCII, else also as RFC 5987 has it."""
    plain = name.encode("ascii", "ignore").decode()
    if plain == name:
        return {"filename": name}
    return {"filename": plain, "filename*": f"UTF-8''{quote(name, '')}"}
