"""Add and list the comments of a picture."""

import json
from collections.abc import Callable
from typing import Any

from flask import Response, request

from imgpipe.api.http.blueprint import Blueprint
from imgpipe.api.http.bodies import parse_json
from imgpipe.api.http.idempotency import Answer, answer_once
from imgpipe.api.http.scopes import READ, UPLOAD
from imgpipe.api.schemas import CommentSchema, PageQuery, image_id, paged, uuid_in
from imgpipe.database.models import Comment
from imgpipe.database.paging import Page
from imgpipe.errors import NotFound
from imgpipe.pictures import comments, gallery

_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["text"],
                "properties": {"text": {"type": "string", "minLength": 1, "maxLength": comments.MAX_LENGTH}},
            }
        }
    },
}

blp = Blueprint("comments", __name__, description="Comments on pictures")


@blp.route("/api/images/<id>/comments", methods=["POST"], scope=UPLOAD)
@blp.response(201, CommentSchema)
@blp.doc(requestBody=_BODY)
def add_comment(id: str) -> Response:
    """Comment on a picture: 1 to 10,000 characters, not blank."""
    return comment_once(id, lambda comment: Answer(blp.envelope(CommentSchema().dump(comment)), 201))


def comment_once(id: str, shape: Callable[[Comment], Answer]) -> Response:
    """Store the comment that was sent, once for each idempotency key."""
    about, text = gallery.find(image_id(id)).id, sent_text()
    return answer_once(lambda: [json.dumps(text)], lambda seal: comments.add(about, text, seal), shape)


@blp.route("/api/images/<id>/comments", scope=READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, paged(CommentSchema))
def list_comments(query: dict[str, Any], id: str) -> Page[Comment]:
    """List the comments of a picture, newest first."""
    return comments.page(image_id(id), **query)


@blp.route("/api/images/<id>/comments/<comment_id>", methods=["DELETE"])
@blp.response(204)
def delete_comment(id: str, comment_id: str) -> Response:
    """Delete a comment."""
    comments.remove(image_id(id), uuid_in(comment_id, NotFound))
    return Response(status=204)


def sent_text() -> object:
    """Return the ``text`` of a JSON body or of a form, unchecked. Raises: ``InvalidJson``."""
    if request.mimetype in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return request.form.get("text")
    return parse_json(request.get_data()).get("text")
