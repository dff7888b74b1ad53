"""Take pictures in: a form file, a plain body, or base64 in JSON or a form field."""

import hashlib
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import marshmallow as ma
from flask import Response
from marshmallow import fields

from imgpipe.api import examples
from imgpipe.api.http import links
from imgpipe.api.http.blueprint import Blueprint
from imgpipe.api.http.bodies import received
from imgpipe.api.http.idempotency import Answer, answer_once
from imgpipe.api.http.scopes import UPLOAD
from imgpipe.api.labels import ITEM, sent_labels
from imgpipe.api.schemas import ImageSchema, UploadedSchema
from imgpipe.database.models import Image
from imgpipe.extensions import parts
from imgpipe.pictures import intake, queue
from imgpipe.pictures.intake import Said, Taken

_BYTES = {"type": "string", "format": "binary"}


def body(field: str) -> dict[str, Any]:
    """Describe a request that carries one picture; in a form it is the file ``field``."""
    form = {
        field: {**_BYTES, "description": "the picture"},
        "labels": {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            "description": "with commas between them, or repeated",
        },
    }
    text = {
        "img": {
            "type": "string",
            "description": "the picture in base64, bare or as a data URI",
            "example": examples.PNG,
        },
        "labels": {"anyOf": [{"type": "array", "items": ITEM, "nullable": True}, {"type": "string"}]},
    }
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _object(form, field)},
            "image/jpeg": {"schema": _BYTES},
            "image/png": {"schema": _BYTES},
            "application/octet-stream": {"schema": _BYTES},
            "application/json": {"schema": _object(text, "img")},
        },
    }


def _object(properties: dict[str, Any], required: str) -> dict[str, Any]:
    return {"type": "object", "required": [required], "properties": properties}


blp = Blueprint("upload", __name__, description="Take pictures in")


class DedupeQuery(ma.Schema):
    """Whether known bytes are taken in again."""

    dedupe = fields.Boolean(load_default=None, metadata={"description": "instead of IMGPIPE_DEDUPE"})


class DuplicateSchema(ImageSchema):
    """A picture that was there before its bytes came again."""

    duplicate = fields.Constant(True)


_UPLOADED, _DUPLICATE = UploadedSchema(), DuplicateSchema()  # one made anew would copy every field


@blp.route("/api/images", methods=["POST"], scope=UPLOAD)
@blp.arguments(DedupeQuery, location="query")
@blp.response(202, UploadedSchema)
@blp.alt_response(200, schema=DuplicateSchema, description="Such bytes were in already")
@blp.doc(requestBody=body("file"))
def upload(query: dict[str, bool | None]) -> Response:
    """Accept one picture; its bytes and its row are durable when this answers."""

    def shape(taken: Taken) -> Answer:
        schema, status = (_DUPLICATE, 200) if taken.duplicate else (_UPLOADED, 202)
        return Answer(blp.envelope(schema.dump(taken.image)), status, links.image(taken.image.id))

    return _take_once(query["dedupe"], shape)


def upload_once(shape: Callable[[Image], Answer]) -> Response:
    """Take in the picture that was sent, once for each idempotency key, known bytes as this place prompts."""
    return _take_once(None, lambda taken: shape(taken.image))


def _take_once(dedupe: bool | None, shape: Callable[[Taken], Answer]) -> Response:
    data, name = received()
    said = Said(labels=sent_labels())
    once = parts.settings.dedupe if dedupe is None else dedupe

    @cache
    def content() -> list[str | bytes]:
        return [hashlib.sha256(data).digest(), name or "", *said.labels]

    answer = answer_once(content, lambda seal: intake.take(data, name, said, once=once, seal=seal), shape)
    if answer.status_code == 202:
        _rouse(answer)
    return answer


def _rouse(answer: Response) -> None:
    """Wake the workers; threads of this process once it is sent, for they would hold the answer up."""
    if parts.jobs.started:
        answer.call_on_close(partial(parts.jobs.wake, queue.RENDER))
    else:
        parts.jobs.wake(queue.RENDER)
