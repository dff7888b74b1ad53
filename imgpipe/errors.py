"""Name everything that can go wrong: HTTP status, stable code, and a sentence fit for a stranger.

The sentence is public. What really happened travels as the exception's ``__cause__`` and only ever
reaches the log.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class ImgpipeError(Exception):
    """Stand at the root of the tree; every leaf sets ``status``, ``code`` and a default sentence."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    sentence: ClassVar[str] = "Something went wrong on our side."

    def __init__(
        self,
        message: str | None = None,
        *,
        details: Mapping[str, Any] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        self.message = message or self.sentence
        self.details = dict(details or {})
        self.retry_after_s = retry_after_s
        super().__init__(self.message)


def envelope(error: ImgpipeError, request_id: str) -> dict[str, Any]:
    """Return an error as the one JSON shape of every answer that is none."""
    return {
        "status": "error",
        "data": None,
        "error": error.message,
        "code": error.code,
        "details": error.details,
        "request_id": request_id,
    }


class NoFile(ImgpipeError):
    """The request carries no file, or an empty one."""

    status, code, sentence = 400, "no_file", "No file was sent, or it is empty."


class UnsupportedType(ImgpipeError):
    """The bytes are of no format that is accepted, whatever the name or the client's type says."""

    status, code, sentence = 400, "unsupported_type", "Unsupported file type."


class CorruptImage(ImgpipeError):
    """The bytes begin like a picture and cannot be read as one."""

    status, code, sentence = 400, "corrupt_image", "The picture is damaged and cannot be read."


class TooComplex(ImgpipeError):
    """The picture has more scans or chunks than any honest one."""

    status, code, sentence = 400, "too_complex", "The picture has too many parts to be decoded safely."


class InvalidBase64(ImgpipeError):
    """The text is not base64."""

    status, code, sentence = 400, "invalid_base64", "The picture is not valid base64."


class InvalidJson(ImgpipeError):
    """The body is not the JSON object that the route takes."""

    status, code, sentence = 400, "invalid_json", "The body is not a valid JSON object."


class InvalidParameter(ImgpipeError):
    """A parameter is missing, malformed or out of range."""

    status, code, sentence = 400, "invalid_parameter", "A parameter is missing or out of range."


class BadRequest(ImgpipeError):
    """The request itself is malformed, such as a body with broken chunks, or one that ends too early."""

    status, code, sentence = 400, "bad_request", "The request is malformed."


class InvalidHost(ImgpipeError):
    """The Host header names a host that this installation does not serve."""

    status, code = 400, "invalid_host"
    sentence = (
        "This host is not served here; IMGPIPE_ALLOWED_HOSTS, BASE_URL or, behind a proxy, "
        "IMGPIPE_PROXY_HOPS says which are."
    )


class InvalidCursor(ImgpipeError):
    """The cursor is not one that this service gave out."""

    status, code, sentence = 400, "invalid_cursor", "The cursor is not one that this service gave out."


class InvalidCsv(ImgpipeError):
    """The CSV breaks the format; ``details`` lists where."""

    status, code, sentence = 400, "invalid_csv", "The CSV cannot be read as a depth log."


class InvalidLog(ImgpipeError):
    """A LAS or DLIS file cannot be read, or holds nothing that can become a depth log."""

    status, code, sentence = 400, "invalid_log", "The file cannot be read as a depth log."


class Unauthorized(ImgpipeError):
    """No valid API key came with the request."""

    status, code, sentence = 401, "unauthorized", "A valid API key is needed."


class Forbidden(ImgpipeError):
    """The key is valid and may not do this; ``details`` names the scope that may."""

    status, code, sentence = 403, "forbidden", "The API key does not allow this."


class CrossSite(ImgpipeError):
    """A page of another site had a browser send a request that changes something."""

    status, code = 403, "cross_site"
    sentence = "A page of another site may not do this; IMGPIPE_CORS_ORIGINS lists those that may."


class NotFound(ImgpipeError):
    """There is nothing under this address."""

    status, code, sentence = 404, "not_found", "There is nothing under this address."


class ImageNotFound(ImgpipeError):
    """No picture has this id."""

    status, code, sentence = 404, "image_not_found", "Image not found"


class ThumbnailNotReady(ImgpipeError):
    """The picture is still being rendered, or could not be."""

    status, code, sentence = 404, "thumbnail_not_ready", "Thumbnail not ready or missing"


class OriginalDiscarded(ImgpipeError):
    """This installation does not keep originals."""

    status, code, sentence = 404, "original_discarded", "The original was not kept."


class NoFrames(ImgpipeError):
    """No stored row lies in the depth range; ``details`` carries the log's bounds."""

    status, code, sentence = 404, "no_frames", "No row lies in this depth range."


class LogNotFound(ImgpipeError):
    """No depth log has this name."""

    status, code, sentence = 404, "log_not_found", "There is no depth log of this name."


class MethodNotAllowed(ImgpipeError):
    """The address exists, but not for this method."""

    status, code, sentence = 405, "method_not_allowed", "This method is not allowed here."


class RequestTimeout(ImgpipeError):
    """The client stopped sending, or sends too slowly: no byte for 10 s, or under 1 kB/s after 30 s."""

    status, code, sentence = 408, "request_timeout", "The request did not arrive in time."


class IdempotencyMismatch(ImgpipeError):
    """The idempotency key was used before, for another request."""

    status, code = 400, "idempotency_mismatch"
    sentence = "This Idempotency-Key was used for another request; send a new one."


class DigestMismatch(ImgpipeError):
    """The body is not the one that its Content-Digest speaks of."""

    status, code, sentence = 400, "digest_mismatch", "The body does not match its Content-Digest."


class Conflict(ImgpipeError):
    """The picture is not in a state that allows this."""

    status, code, sentence = 409, "conflict", "The picture's state does not allow this."


class PreconditionFailed(ImgpipeError):
    """``If-Match`` or ``If-Unmodified-Since`` names a state that is no longer the present one."""

    status, code, sentence = 412, "precondition_failed", "It is not, or no longer, as the request supposes."


class TooLarge(ImgpipeError):
    """The body or the file has more bytes than allowed."""

    status, code, sentence = 413, "too_large", "The file is larger than allowed."

    def __init__(self, limit: int, option: str | None = None, unit: str = "bytes") -> None:
        where = f", see {option}" if option else ""
        details = {f"max_{unit}": limit} | ({"option": option} if option else {})
        super().__init__(f"What was sent is larger than allowed: {limit:,} {unit}{where}.", details=details)


class TooManyPixels(ImgpipeError):
    """Width times height is above the limit."""

    status, code, sentence = 413, "too_many_pixels", "The picture has more pixels than allowed."


class RangeNotSatisfiable(ImgpipeError):
    """The requested byte range lies outside the file."""

    status, code, sentence = 416, "range_not_satisfiable", "The requested range lies outside the file."


class Busy(ImgpipeError):
    """More is asked than this installation takes at once."""

    status, code, sentence = 503, "busy", "The service is busy; try again shortly."


class Unavailable(ImgpipeError):
    """Database or storage is away, or the disk is full."""

    status, code, sentence = 503, "unavailable", "The service is not available; try again shortly."


class ConfigError(ImgpipeError):
    """The configuration has faults; the message is one line a fault."""

    code, sentence = "config_error", "The configuration has faults."


class SchemaTooNew(ConfigError):
    """A newer version has upgraded the database; this code would not understand what it finds there."""

    sentence = "expected a database of this version or an older one; a newer imgpipe has upgraded this one"


class Repeated(Exception):
    """The same request was answered meanwhile; never seen outside: its first answer is given again."""
