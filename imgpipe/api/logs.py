"""Take depth logs in by a form, list and delete them."""

import hashlib
import io
import os
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, cast

from flask import Response, request

from imgpipe.api.http import links
from imgpipe.api.http.blueprint import Blueprint
from imgpipe.api.http.idempotency import Answer, answer_once
from imgpipe.api.http.requests import BODY_BYTES, body_digest, limit_body, too_large
from imgpipe.api.http.scopes import READ, UPLOAD
from imgpipe.api.ranges import LogSchema, LogsQuery, ReceiptSchema
from imgpipe.api.schemas import paged
from imgpipe.database.depthmodels import DepthLog
from imgpipe.database.paging import Page
from imgpipe.database.replays import Seal
from imgpipe.depthlogs import logs, wellfiles
from imgpipe.depthlogs.logs import Receipt
from imgpipe.depthlogs.terms import Terms
from imgpipe.errors import InvalidParameter, NoFile
from imgpipe.extensions import parts
from imgpipe.pictures import admission
from imgpipe.scanlines import scale, units
from imgpipe.scanlines.csvfile import READ_BYTES

CSV = "text/csv"
OPTION = "IMGPIPE_MAX_CSV_BYTES"
TERMS = {
    "scale": "MIN:MAX of true values, `auto`, or percentiles such as `p2:p98`",
    "null": "values that stand for holes, with commas between them",
    "missing": "`allow`: an empty cell is a hole",
    "depth_unit": "m, ft, in or 0.1in",
    "value_unit": "of the true values",
    "channel": "of a LAS or DLIS file: `CHANNEL` or `FRAME/CHANNEL`; left out, the only image in it",
}
_FIELDS = {
    "file": {"type": "string", "format": "binary", "description": "CSV, UTF-8; LAS or DLIS"},
    "log": {"type": "string", "default": logs.DEFAULT, "maxLength": logs.NAME_LENGTH},
    **{name: {"type": "string", "description": text} for name, text in TERMS.items()},
    "missing": {"type": "string", "enum": ["refuse", "allow"], "description": TERMS["missing"]},
    "depth_unit": {"type": "string", "enum": list(units.METRES), "description": TERMS["depth_unit"]},
}
BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {"schema": {"type": "object", "required": ["file"], "properties": _FIELDS}},
        CSV: {"schema": {"type": "string", "format": "binary"}},
    },
}

blp = Blueprint("depth logs", __name__, description="Depth logs")


@blp.route("/api/frames", methods=["POST"], scope=UPLOAD)
@blp.response(201, ReceiptSchema)
@blp.doc(requestBody=BODY)
def import_csv() -> Response:
    """Store a CSV, all of it or nothing: `depth` first, then 1 to 10,000 pixel columns of 0 to 255.

    Commas, semicolons or tabs stand between cells. The body is a form, or with `text/csv` the CSV itself:
    what a form says beside the file is then in the query. With `scale` the cells are true values, which
    become greys; with `null` or `missing=allow` there are holes. A form's file may be LAS or DLIS, too, where
    the extra `wells` is installed: one array channel becomes the log, in the scale `auto` unless another is
    said.

    A depth that the log has already is replaced; within a file the last line wins. A CSV that cannot be
    read is 400 `invalid_csv` with the first 20 faults, by line and column, in `details`, a LAS or DLIS file
    400 `invalid_log`.
    """
    return import_once(
        lambda receipt: Answer(blp.envelope(ReceiptSchema().dump(receipt)), 201, links.log(receipt.log))
    )


@blp.route("/api/frames/logs", scope=READ)
@blp.arguments(LogsQuery, location="query")
@blp.response(200, paged(LogSchema))
def list_logs(query: dict[str, Any]) -> Page[DepthLog]:
    """List the logs, newest first."""
    return logs.page(**query)


@blp.route("/api/frames/logs/<log>", scope=READ)
@blp.response(200, LogSchema)
def show_log(log: str) -> DepthLog:
    """Tell what is stored of a log."""
    return logs.find(log)


@blp.route("/api/frames/logs/<log>", methods=["DELETE"])
@blp.response(204)
def delete_log(log: str) -> Response:
    """Delete a log with all its rows."""
    logs.delete(log)
    return Response(status=204)


def import_once(shape: Callable[[Receipt], Answer]) -> Response:
    """Store the CSV of the present request, a form's or its body, by what the form or the query says.

    Raises: ``NoFile``, ``TooLarge``, ``InvalidParameter``, ``InvalidCsv``, ``InvalidLog``, ``Conflict``,
    ``Busy``.
    """
    admission.check_disk()
    plain = request.mimetype == CSV
    stream = _sent_body() if plain else _sent_file()
    said = request.args if plain else request.form
    name, terms = said.get("log", logs.DEFAULT), _terms(said)

    def content() -> list[str | bytes]:
        options = [text for item in sorted(said.items()) for text in item]
        return [body_digest() if plain else _digest(stream), *options]

    def make(seal: Seal) -> Receipt:
        if plain:
            return logs.accept(stream, name, terms, seal)
        return wellfiles.accept(stream, name, terms, said.get("channel"), seal)

    return answer_once(content, make, shape, streamed=plain)


def _digest(stream: BinaryIO) -> bytes:
    """Hash a file of a form, which is as long as the disk allows, and leave it at its beginning."""
    stream.seek(0)
    whole = hashlib.sha256()
    while block := stream.read(READ_BYTES):
        whole.update(block)
    stream.seek(0)
    return whole.digest()


def _sent_body() -> BinaryIO:
    limit = parts.settings.max_csv_bytes
    limit_body(limit + 1, limit, OPTION)  # at which the stream refuses to give any more
    if (request.content_length or 0) > limit:
        raise too_large()
    stream = io.BufferedReader(cast(io.RawIOBase, request.stream), buffer_size=READ_BYTES)
    if not stream.peek(1):
        raise NoFile
    return cast(BinaryIO, stream)


def _sent_file() -> BinaryIO:
    limit = parts.settings.max_csv_bytes
    limit_body(limit + BODY_BYTES, limit, OPTION)
    files = request.files.getlist("file")
    if len(files) > 1:
        raise InvalidParameter("file: expected one CSV a request", details={"parameter": "file"})
    if not files or not (size_bytes := files[0].stream.seek(0, os.SEEK_END)):
        raise NoFile
    if size_bytes > limit:
        raise too_large()
    files[0].stream.seek(0)
    return cast(BinaryIO, files[0].stream)


def _terms(said: Mapping[str, str]) -> Terms:
    """Read how values become greys. Raises: ``InvalidParameter``."""
    return Terms(
        scale=scale.parse(said["scale"]) if "scale" in said else None,
        nulls=scale.parse_nulls(said["null"]) if "null" in said else None,
        missing="missing" in said and scale.parse_missing(said["missing"]),
        depth_unit=units.parse(said["depth_unit"]) if "depth_unit" in said else None,
        value_unit=scale.parse_unit(said["value_unit"]) if "value_unit" in said else None,
    )
