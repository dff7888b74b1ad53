"""Give every error, whatever raised it, the one JSON shape of the contract."""

import errno
import logging
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from flask import Flask, Response, jsonify, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from imgpipe.api.http.requests import request_id, too_large
from imgpipe.database import outages
from imgpipe.errors import (
    BadRequest,
    ImgpipeError,
    MethodNotAllowed,
    NotFound,
    RangeNotSatisfiable,
    Unavailable,
    envelope,
)

RETRY_AFTER_S = 2
WITH_MESSAGE = frozenset({"compat.analyze_and_wait"})  # an older client reads the sentence there
_BY_STATUS: dict[int, type[ImgpipeError]] = {
    404: NotFound,
    405: MethodNotAllowed,
    416: RangeNotSatisfiable,
    503: Unavailable,
}
_KEPT_HEADERS = ("Allow", "Content-Range")
# The disk is full, read-only or over quota, the process has no files left, the storage is no folder or its
# server is gone: our plight, not a bug.
_STORAGE_ERRNOS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EMFILE,
    errno.ENFILE,
    errno.EIO,
    errno.EACCES,
    errno.EPERM,
    errno.ESTALE,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENODEV,
    errno.ENXIO,
    errno.ENOTCONN,
    errno.EHOSTDOWN,
    errno.ETIMEDOUT,
}
log = logging.getLogger(__name__)
Piece = TypeVar("Piece", str, bytes)


def init_app(app: Flask) -> None:
    """Answer for everything that a view or the framework can raise."""
    app.register_error_handler(ImgpipeError, answer)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(SQLAlchemyError, _answer_outage)
    app.register_error_handler(OSError, _answer_outage)
    app.register_error_handler(Exception, _answer_unexpected)


def answer(error: ImgpipeError) -> Response:
    """Shape an error of ours."""
    response = jsonify(content(error))
    response.status_code = error.status
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="imgpipe"'
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def content(error: ImgpipeError) -> dict[str, Any]:
    """Return the JSON of an error: envelope, sentence, code, details, request id."""
    told = envelope(error, request_id())
    return told | ({"message": error.message} if request.endpoint in WITH_MESSAGE else {})


def _answer_http(error: HTTPException) -> Any:
    if error.code is None or error.code < 400:
        return error
    if error.code >= 500 and error.code not in _BY_STATUS:
        return _answer_unexpected(error)
    if error.code == 413:
        return answer(too_large())
    response = answer(_BY_STATUS.get(error.code, BadRequest)())
    for name, value in error.get_headers():
        if name in _KEPT_HEADERS:
            response.headers[name] = value
    return response


def streamed(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield an answer piece by piece; where database or storage go away midway, break it off.

    Its head is sent by then, so what tells the client is an answer that ends too early.
    Raises: ``ConnectionResetError``, which servers take for a connection that is over.
    """
    try:
        yield from pieces
    except (SQLAlchemyError, OSError) as error:
        if not _is_outage(error):
            raise
        raise ConnectionResetError(errno.ECONNRESET, "an answer broke off") from error


def _answer_outage(error: SQLAlchemyError | OSError) -> Response:
    if not _is_outage(error):
        return _answer_unexpected(error)
    return answer(Unavailable(retry_after_s=RETRY_AFTER_S))


def _is_outage(error: SQLAlchemyError | OSError) -> bool:
    """Tell whether database or storage are away, and say so in a line."""
    if isinstance(error, SQLAlchemyError):
        if away := outages.is_away(error):
            outages.warn(log, error)
    elif away := error.errno in _STORAGE_ERRNOS:
        log.warning("storage is away: %s", error.strerror)
    return away


def _answer_unexpected(error: Exception) -> Response:
    log.error("unexpected", exc_info=error)
    return answer(ImgpipeError())
