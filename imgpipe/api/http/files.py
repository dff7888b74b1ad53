"""Send stored bytes: strong ETag, conditional and range requests, safe names."""

from io import BufferedReader
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wsgi import wrap_file

from imgpipe.errors import PreconditionFailed
from imgpipe.extensions import parts
from imgpipe.imaging.formats import mime_types

MIME = mime_types()
FOREVER = "private, max-age=31536000, immutable"
REVALIDATE = "private, no-cache"
FOR_A_MINUTE = "private, max-age=60"  # less than a signed address is good for


def send(
    stream: BinaryIO, size_bytes: int, mime: str, etag: str, cache: str, download_name: str | None = None
) -> Response:
    """Stream ``size_bytes`` bytes, all of them or the range that the client asks for, or 304.

    ``download_name`` makes it an attachment. A proxy that shares the media directory is only told where the
    file is. Raises: ``PreconditionFailed``, werkzeug's ``RequestedRangeNotSatisfiable``.
    """
    if request.if_match and not request.if_match.contains(etag):
        stream.close()
        raise PreconditionFailed
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
        judged = {name: value for name, value in request.environ.items() if name != "HTTP_IF_MATCH"}
        response.make_conditional(judged, accept_ranges=True, complete_length=size_bytes)
    except RequestedRangeNotSatisfiable:
        stream.close()
        raise
    if response.status_code in (200, 206) and (address := _address_at_proxy(stream)):
        stream.close()
        _hand_over(response, address)
    return response


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
