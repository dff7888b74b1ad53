"""Take pictures in: a form file, a plain body, or base64 in JSON or a form field."""

import hashlib
from collections.abc import Callable

from flask import Response

from imgpipe.api.http import links
from imgpipe.api.http.blueprint import Blueprint
from imgpipe.api.http.bodies import received
from imgpipe.api.http.idempotency import Answer, answer_once
from imgpipe.api.http.scopes import UPLOAD
from imgpipe.api.labels import sent_labels
from imgpipe.api.schemas import UploadedSchema
from imgpipe.database.models import Image
from imgpipe.pictures import intake

_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "file": {"type": "string", "format": "binary"},
                    "labels": {"type": "string", "description": "with commas between them, or repeated"},
                },
            }
        },
        "image/jpeg": {"schema": {"type": "string", "format": "binary"}},
        "image/png": {"schema": {"type": "string", "format": "binary"}},
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "img": {"type": "string", "description": "base64, bare or as a data URI"},
                    "labels": {"type": "array", "items": {"type": "string"}},
                },
            }
        },
    },
}

blp = Blueprint("upload", __name__, description="Take pictures in")


@blp.route("/api/images", methods=["POST"], scope=UPLOAD)
@blp.response(202, UploadedSchema)
@blp.doc(requestBody=_BODY)
def upload() -> Response:
    """Accept one picture; its bytes and its row are durable when this answers."""
    return upload_once(
        lambda image: Answer(blp.envelope(UploadedSchema().dump(image)), 202, links.image(image.id))
    )


def upload_once(shape: Callable[[Image], Answer]) -> Response:
    """Take in the picture that was sent, once for each idempotency key."""
    data, name = received()
    labels = sent_labels()
    content: list[str | bytes] = [hashlib.sha256(data).digest(), name or "", *labels]
    return answer_once(content, lambda seal: intake.accept(data, name, labels, seal), shape)
