"""Send stored bytes: strong ETag, conditional and range requests, safe names."""

from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from flask import Response, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wsgi import wrap_file

from imgpipe.api.http.requests import current
from imgpipe.errors import PreconditionFailed
from imgpipe.extensions import parts
from imgpipe.imaging.formats import mime_types

MIME = mime_types()
FOREVER = "private, max-age=31536000, immutable"
REVALIDATE = "private, no-cache"
_RANGE = ("REQUEST_METHOD", "HTTP_RANGE", "HTTP_IF_RANGE")
CHUNK_BYTES = 64 * 1024  # where the server does not hand files to the system whole
FOR_A_MINUTE = "private, max-age=60"  # less than a signed address is good for


class _Whole(Response):
    """Go out with just the headers that it was given; werkzeug would look for faults in a copy of them."""

    default_mimetype = None

    def get_wsgi_headers(self, environ: dict[str, Any]) -> Headers:
        return self.headers


def send(
    open_file: Callable[[], BinaryIO],
    size_bytes: int,
    mime: str,
    etag: str,
    cache: str,
    download_name: str | None = None,
) -> Response:
    """Stream ``size_bytes`` bytes, all of them or the range that the client asks for; what it has is 304.

    Only what is sent is opened. ``download_name`` makes it an attachment. A proxy that shares the media
    directory is only told where the file is. Raises: ``PreconditionFailed``, werkzeug's
    ``RequestedRangeNotSatisfiable``, and what ``open_file`` raises.
    """
    asked = current()
    if "HTTP_IF_MATCH" in asked.environ and not asked.if_match.contains(etag):
        raise PreconditionFailed
    quoted = f'"{etag}"'
    headers = Headers([("ETag", quoted), ("Cache-Control", cache), ("Accept-Ranges", "bytes")])
    if download_name is not None:
        headers.set("Content-Disposition", "attachment", **_file_names(download_name))
    known = asked.environ.get("HTTP_IF_NONE_MATCH")
    if known and (known == quoted or asked.if_none_match.contains_weak(etag)):
        return _Whole(status=304, headers=headers)
    headers["Content-Length"] = str(size_bytes)
    stream = open_file()
    body = wrap_file(asked.environ, stream, CHUNK_BYTES)
    response = _Whole(body, headers=headers, content_type=mime, direct_passthrough=True)
    if "HTTP_RANGE" in asked.environ:
        _cut(response, size_bytes)
    if address := _address_at_proxy(stream):
        stream.close()
        _hand_over(response, address)
    return response


def _cut(response: Response, size_bytes: int) -> None:
    """Leave of the body what ``Range`` and ``If-Range`` ask for; the other conditions are judged already."""
    judged = {name: request.environ[name] for name in _RANGE if name in request.environ}
    try:
        response.make_conditional(judged, accept_ranges=True, complete_length=size_bytes)
    except RequestedRangeNotSatisfiable:
        response.close()
        raise


def _address_at_proxy(stream: BinaryIO) -> str | None:
    """Return where the nginx in front finds a stored file; None when there is no such file or nginx."""
    prefix = parts.settings.accel_prefix
    if not prefix or not isinstance(stream, BufferedReader):
        return None
    return prefix + Path(stream.name).relative_to(parts.settings.storage).as_posix()


def _hand_over(response: Response, address: str) -> None:
    """Have nginx send the file at ``address``, or the range of it, in place of the body."""
    response.status_code = 200
    response.set_data(b"")
    response.headers["X-Accel-Redirect"] = address
    del response.headers["Accept-Ranges"]


def send_on(address: str) -> Response:
    """Send the client on to where the storage itself serves the bytes."""
    return Response(status=302, headers={"Location": address, "Cache-Control": FOR_A_MINUTE})


def _file_names(name: str) -> dict[str, str]:
    """Spell a file name for a header: plain where it is ASCII, else also as RFC 5987 has it."""
    plain = name.encode("ascii", "ignore").decode()
    if plain == name:
        return {"filename": name}
    return {"filename": plain, "filename*": f"UTF-8''{quote(name, '')}"}
