"""Let people write: captions and labels of their own, guarded against each other by ETags."""

from typing import Any

import marshmallow as ma
from flask import Response, jsonify, request
from marshmallow import fields, validate

from imgpipe.api.http.blueprint import Blueprint
from imgpipe.api.http.bodies import read_json
from imgpipe.api.http.scopes import READ
from imgpipe.api.labels import ITEM
from imgpipe.api.schemas import CaptionSourceSchema, ImageSchema, Utc, image_id
from imgpipe.database.labelmodels import EarlierCaption
from imgpipe.database.models import Image
from imgpipe.errors import Conflict, PreconditionFailed
from imgpipe.extensions import parts
from imgpipe.pictures import editing, labels, prompts, recaption

blp = Blueprint("editing", __name__, description="Captions and labels by people")


class EditSchema(ma.Schema):
    """What to change; a field that is absent stays as it is."""

    caption = fields.String(
        allow_none=True,
        metadata={"description": "or null", "minLength": 1, "maxLength": editing.CAPTION_LENGTH},
    )
    labels = fields.List(fields.String(metadata=ITEM), metadata={"maxItems": labels.MOST})


class WishSchema(ma.Schema):
    """How to ask for a caption."""

    prompt = fields.String(
        validate=validate.Length(1, prompts.PROMPT_LENGTH),
        metadata={"description": "may use {original_name} and {labels}"},
    )
    overwrite_human = fields.Boolean(
        truthy={True}, falsy={False}, metadata={"description": "also where a person wrote the caption"}
    )


class EarlierCaptionSchema(ma.Schema):
    """A caption that stood there before, who wrote it, and until when it stood."""

    caption = fields.String(attribute="text")
    caption_source = fields.Nested(CaptionSourceSchema, attribute="source", allow_none=True)
    replaced_at = Utc()


def _body(schema: type[ma.Schema]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


@blp.route("/api/images/<image:id>", methods=["PATCH"])
@blp.response(200, ImageSchema)
@blp.doc(requestBody=_body(EditSchema))
def edit(id: str) -> Image:
    """Set the caption or the labels by hand; with `If-Match`, only while nobody else has changed them."""
    changes = read_json(EditSchema())
    return editing.edit(image_id(id), changes, _refuse_stale)


@blp.route("/api/images/<id>/captions", scope=READ)
@blp.response(200, EarlierCaptionSchema(many=True))
def earlier_captions(id: str) -> list[EarlierCaption]:
    """List the captions that stood there before, newest first, at most 20."""
    return list(editing.earlier(image_id(id)))


@blp.route("/api/images/<id>/caption", methods=["POST"])
@blp.response(202, ImageSchema)
@blp.doc(requestBody=_body(WishSchema) | {"required": False})
def ask_again(id: str) -> Image:
    """Have the captioner describe the picture anew, by another prompt if you like.

    Where another picture of the same bytes has its caption by the same model and prompt, that one is taken
    over and nobody is asked; another prompt always asks.
    """
    wish = read_json(WishSchema())
    about = image_id(id)
    if parts.captioner is None:
        raise Conflict("No captioner is configured; set IMGPIPE_CAPTIONER.")
    return recaption.ask(about, wish)


def tag(response: Response) -> Response:
    """Give a picture's JSON the ETag of what it says, and answer 304 to who has just that."""
    if response.status_code == 200:
        response.add_etag()
        response.headers["Cache-Control"] = "private, no-cache"
        etag, _ = response.get_etag()
        if request.method in ("GET", "HEAD") and etag and request.if_none_match.contains_weak(etag):
            response.status_code = 304
            response.set_data(b"")
    return response


def _refuse_stale(image: Image) -> None:
    """Compare what ``If-Match`` names with what the detail would say now. Raises: ``PreconditionFailed``."""
    if not request.if_match:
        return
    shown = jsonify(Blueprint._prepare_response_content(ImageSchema().dump(image)))
    shown.add_etag()
    etag, _ = shown.get_etag()
    if not etag or not request.if_match.contains(etag):
        raise PreconditionFailed


@blp.after_request
def _tag_edit(response: Response) -> Response:
    return tag(response) if request.method == "PATCH" else response
