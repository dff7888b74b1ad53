"""Read what a request carries: one picture, as a file or as base64, or a strict JSON object."""

import base64
import binascii
import json
import re
from typing import Any, NoReturn
from urllib.parse import unquote

import marshmallow as ma
from flask import request
from werkzeug.datastructures import FileStorage

from imgpipe.api.http.blueprint import refusal
from imgpipe.api.http.requests import BODY_BYTES, limit_body, too_large
from imgpipe.errors import InvalidBase64, InvalidJson, InvalidParameter, NoFile
from imgpipe.extensions import parts
from imgpipe.pictures import admission

FILE_FIELDS = ("file", "uploaded_file", "img")
TEXT_FIELDS = ("img", "image")
_DATA_URI = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_FILENAME = re.compile(r'; *filename="((?:[^"\\]|\\.)*)"', re.IGNORECASE)


def received() -> tuple[bytes, str | None]:
    """Return the bytes and the client's name of the one picture in the request.

    Raises: ``Busy``, before anything is read; ``NoFile``, ``TooLarge``, ``InvalidBase64``, ``InvalidJson``,
    ``InvalidParameter``.
    """
    admission.check_picture()
    _widen_limits()
    if _is_plain():
        return request.get_data(), _plain_name()
    found = _from_json() if request.mimetype == "application/json" else _from_form()
    if not found:
        raise NoFile
    if len(found) > 1:
        raise InvalidParameter("Send one picture a request.")
    if isinstance(found[0], FileStorage):
        return found[0].stream.read(), _client_name(found[0])
    return _decode(found[0]), None


def _is_plain() -> bool:
    return request.mimetype.startswith("image/") or request.mimetype == "application/octet-stream"


def _plain_name() -> str | None:
    """Return the name that goes with a plain body: of the query, or a header in percent-encoded UTF-8."""
    return request.args.get("name") or unquote(request.headers.get("X-File-Name", "")) or None


def _client_name(file: FileStorage) -> str | None:
    """Return the name as meant: a backslash escapes a quote or itself, else it is one of a Windows path.

    The form parser takes every backslash for an escape.
    """
    sent = _FILENAME.search(file.headers.get("Content-Disposition", ""))
    return re.sub(r'\\(["\\])', r"\1", sent[1]) if sent and "\\" in sent[1] else file.filename


def _widen_limits() -> None:
    """Let a picture of the largest size through, also as base64 (4 characters for 3 bytes)."""
    limit = parts.settings.max_upload_bytes
    limit_body(limit * 4 // 3 + BODY_BYTES, limit, "IMGPIPE_MAX_UPLOAD_BYTES")
    request.max_form_memory_size = request.max_content_length


def _from_form() -> list[FileStorage | str]:
    files = [file for name in FILE_FIELDS for file in request.files.getlist(name)]
    texts = [text for name in TEXT_FIELDS for text in request.form.getlist(name)]
    return [file for file in files if file.filename or file.stream.seekable()] + [
        text for text in texts if text
    ]


def _from_json() -> list[FileStorage | str]:
    body = parse_json(request.get_data())
    found = [body[name] for name in TEXT_FIELDS if body.get(name) is not None]
    if not all(isinstance(text, str) for text in found):
        raise InvalidBase64
    return [text for text in found if text]


def read_json(schema: ma.Schema) -> dict[str, Any]:
    """Read a JSON body by a schema; none at all is an empty one.

    Raises: ``InvalidJson``; ``InvalidParameter`` where the schema finds a fault.
    """
    raw = request.get_data()
    try:
        loaded: dict[str, Any] = schema.load(parse_json(raw) if raw else {})
    except ma.ValidationError as error:
        raise refusal(error.messages_dict) from error
    return loaded


def parse_json(raw: bytes) -> dict[str, Any]:
    """Parse a strict JSON object. Raises: ``InvalidJson``."""
    try:
        body = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidJson from error
    if not isinstance(body, dict):
        raise InvalidJson
    return body


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _decode(text: str) -> bytes:
    prefix = _DATA_URI.match(text)
    bare = "".join(text[prefix.end() if prefix else 0 :].split())
    limit = parts.settings.max_upload_bytes
    if len(bare) // 4 * 3 - bare[-2:].count("=") > limit:
        raise too_large()
    try:
        return base64.b64decode(bare, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidBase64 from error
