"""Take depth logs in by a form, list and delete them."""

import os
from typing import Any, BinaryIO, cast

from flask import Response, request

from imgpipe.api.http import links
from imgpipe.api.http.blueprint import Blueprint
from imgpipe.api.http.requests import BODY_BYTES, limit_body, too_large
from imgpipe.api.ranges import LogSchema, LogsQuery, ReceiptSchema
from imgpipe.api.schemas import paged
from imgpipe.database.depthmodels import DepthLog
from imgpipe.database.paging import Page
from imgpipe.depthlogs import logs
from imgpipe.depthlogs.logs import Receipt
from imgpipe.errors import InvalidParameter, NoFile
from imgpipe.extensions import parts

BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {"type": "string", "format": "binary", "description": "CSV, UTF-8"},
                    "log": {
                        "type": "string",
                        "default": logs.DEFAULT,
                        "maxLength": logs.NAME_LENGTH,
                    },
                },
            }
        }
    },
}

blp = Blueprint("depth logs", __name__, description="Depth logs")


@blp.route("/api/frames", methods=["POST"])
@blp.response(201, ReceiptSchema)
@blp.doc(requestBody=BODY)
def import_csv() -> tuple[Receipt, int, dict[str, str]]:
    """Store a CSV, all of it or nothing: `depth` first, then 1 to 10,000 pixel columns of 0 to 255.

    A depth that the log has already is replaced; within a file the last line wins. A CSV that cannot be
    read is 400 `invalid_csv` with the first 20 faults, by line and column, in `details`.
    """
    receipt = accept_sent()
    return receipt, 201, {"Location": links.log(receipt.log)}


@blp.route("/api/frames/logs")
@blp.arguments(LogsQuery, location="query")
@blp.response(200, paged(LogSchema))
def list_logs(query: dict[str, Any]) -> Page[DepthLog]:
    """List the logs, newest first."""
    return logs.page(**query)


@blp.route("/api/frames/logs/<log>")
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


def accept_sent() -> Receipt:
    """Store the CSV of the present request under the name that the form gives.

    Raises: ``NoFile``, ``TooLarge``, ``InvalidParameter``, ``InvalidCsv``.
    """
    limit = parts.settings.max_csv_bytes
    limit_body(limit + BODY_BYTES, limit, "IMGPIPE_MAX_CSV_BYTES")
    files = request.files.getlist("file")
    if len(files) > 1:
        raise InvalidParameter("file: expected one CSV a request", details={"parameter": "file"})
    if not files or not (size_bytes := files[0].stream.seek(0, os.SEEK_END)):
        raise NoFile
    if size_bytes > limit:
        raise too_large()
    files[0].stream.seek(0)
    return logs.accept(cast(BinaryIO, files[0].stream), request.form.get("log", logs.DEFAULT))
