"""Answer the calls of older services' clients: the same use cases, in the shapes that those knew."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any
from uuid import UUID

import marshmallow as ma
from flask import Response
from marshmallow import fields

from imgpipe.api.comments import comment_once
from imgpipe.api.detail import awaited
from imgpipe.api.frames import encode_rows
from imgpipe.api.http import files, idempotency, links
from imgpipe.api.http.blueprint import PlainBlueprint
from imgpipe.api.http.errors import streamed
from imgpipe.api.http.idempotency import Answer
from imgpipe.api.http.scopes import READ, READ_OR_UPLOAD, UPLOAD
from imgpipe.api.logs import BODY, import_once
from imgpipe.api.ranges import RangeQuery, ReceiptSchema, asked, null_color
from imgpipe.api.schemas import MAX_WAIT_S, ImageSchema, Utc, image_id
from imgpipe.api.upload import body, upload_once
from imgpipe.database.models import Comment, Image
from imgpipe.database.paging import Page
from imgpipe.depthlogs import logs
from imgpipe.depthlogs.views import View
from imgpipe.errors import CorruptImage, LogNotFound, NoFrames, NotFound
from imgpipe.extensions import parts
from imgpipe.pictures import comments, gallery, queue
from imgpipe.pictures.gallery import Shown
from imgpipe.scanlines import colormap
from imgpipe.scanlines.frames import Color
from imgpipe.scanlines.rows import Grey, Rows

IMAGES = 10
COMMENTS = 20
_THUMBNAIL = re.compile(r"thumbnail_([0-9a-f-]{36})\.(jpg|png)")

blp = PlainBlueprint("compat", __name__, description="Routes kept for clients of older services")


class CursorQuery(ma.Schema):
    """Which page; its length is fixed."""

    cursor = fields.String(load_default=None)


class OldImageSchema(ma.Schema):
    """A picture as older clients know it."""

    uuid = fields.UUID(attribute="id")
    img = fields.Function(lambda image: _picture_url(image), metadata={"type": "string"})
    desc = fields.Function(lambda image: image.caption or "", metadata={"type": "string"})
    upload_date = Utc(attribute="uploaded_at")
    edited_date = Utc(attribute="changed_at")
    comments_url = fields.Function(lambda image: _comments_url(image.id), metadata={"type": "string"})


class OldCommentSchema(ma.Schema):
    """A comment as older clients know it."""

    uuid = fields.UUID(attribute="id")
    image = fields.UUID(attribute="image_id")
    text = fields.String()
    upload_date = Utc(attribute="created_at")
    edited_date = Utc(attribute="edited_at")


class OldCommentsSchema(ma.Schema):
    """A page of comments as older clients know it."""

    results = fields.List(fields.Nested(OldCommentSchema))
    next = fields.String(allow_none=True)
    previous = fields.String(allow_none=True)


class OldImageAndCommentsSchema(OldImageSchema):
    """A picture as older clients know it, with the first page of its comments."""

    comments = fields.Nested(OldCommentsSchema)


class OldReceiptSchema(ReceiptSchema):
    """What a CSV brought, with the sentence that older clients know."""

    message = fields.Constant("CSV data uploaded successfully", metadata={"type": "string"})


def _answers(schema: Any) -> dict[str, Any]:
    """Describe an answer that is shaped by hand."""
    return {"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}}


def _page(item: type[ma.Schema]) -> dict[str, Any]:
    link = {"type": "string", "nullable": True}
    results = {"type": "array", "items": item}
    return {"type": "object", "properties": {"results": results, "next": link, "previous": link}}


_ANALYSIS = {
    "type": "object",
    "properties": {
        "message": {"type": "string", "example": "Image uploaded successfully"},
        "thumbnail": {"type": "string"},
        "openai_response": {
            "description": "the provider's own JSON, or what went wrong under `error`",
            "example": {"choices": [{"message": {"content": "Fishing boats in a small harbour."}}]},
        },
    },
}


@blp.route("/api/images/analyze-image", methods=["POST"], scope=UPLOAD)
@blp.response(200)
@blp.doc(responses=_answers(_ANALYSIS))
@blp.alt_response(202, schema=ImageSchema)
@blp.doc(requestBody=body("uploaded_file"))
def analyze_and_wait() -> Response:
    """Upload by the field `uploaded_file` and wait for the caption; 202 when that takes over 30 s.

    A request that comes again under its `Idempotency-Key` gets the first 200, or waits for it as well.
    """
    response = upload_once(lambda image: Answer({"image_id": str(image.id)}, 202))
    if response.status_code == 200:  # given again
        return response
    parts.jobs.wake(queue.RENDER)  # it is waited for
    image = awaited(UUID(response.json["image_id"]), MAX_WAIT_S)  # type: ignore[index]
    if image.status == "processing":
        response.set_data(json.dumps(ImageSchema().dump(image)))
        return response
    if image.status == "failed":
        idempotency.free()
        raise CorruptImage(image.error)
    name = f"thumbnail_{image.id}.{gallery.find_thumbnail(image.id, 'small').format}"
    analysis = {
        "message": "Image uploaded successfully",
        "thumbnail": f"{links.root()}/api/thumbnails/{name}",
        "openai_response": _provider_answer(gallery.find(image.id)),
    }
    return idempotency.amend(response, Answer(analysis, 200))


def _provider_answer(image: Image) -> Any:
    if image.caption is not None and image.caption_raw is not None:
        return image.caption_raw
    told = image.caption_error or {"code": "skipped", "message": "No captioner is configured."}
    own = image.caption_raw.get("error") if isinstance(image.caption_raw, dict) else None
    if image.caption_status == "failed" and isinstance(own, dict):  # the provider's own words go before ours
        told = {**told, **own}
    return {"error": {name: told.get(name) for name in ("message", "type", "param", "code")}}


@blp.route("/api/thumbnails/<file_name>", scope=READ_OR_UPLOAD)
@blp.response(200, {"type": "string", "format": "binary"}, content_type="image/*")
def thumbnail(file_name: str) -> Response:
    """Download `thumbnail_{image_id}.{jpg,png}`, the small one."""
    named = _THUMBNAIL.fullmatch(file_name)
    if named is None:
        raise NotFound
    row = gallery.find_thumbnail(image_id(named[1]), "small")
    if row.format != named[2]:
        raise NotFound
    open_file = partial(gallery.open_thumbnail, row.key)
    return files.send(open_file, row.size_bytes, files.MIME[row.format], row.etag, files.FOREVER, file_name)


@blp.route("/analyze-image", methods=["POST"], scope=UPLOAD)
@blp.response(202, OldImageSchema)
@blp.doc(requestBody=body("img"))
def analyze() -> Response:
    """Upload by the field `img`, a file or base64; processing goes on behind it."""
    return upload_once(lambda image: Answer(OldImageSchema().dump(image), 202))


@blp.route("/images", scope=READ)
@blp.arguments(CursorQuery, location="query")
@blp.response(200)
@blp.doc(responses=_answers(_page(OldImageSchema)))
def list_images(query: dict[str, Any]) -> dict[str, Any]:
    """List pictures, newest first, ten a page."""
    return _results(gallery.page(IMAGES, **query), OldImageSchema, links.beside)


@blp.route("/image/<id>", scope=READ)
@blp.response(200)
@blp.doc(responses=_answers(OldImageAndCommentsSchema))
def show(id: str) -> dict[str, Any]:
    """Show a picture and the first page of its comments."""
    image = gallery.find(image_id(id))
    shown: dict[str, Any] = OldImageSchema().dump(image)
    return shown | {"comments": _comments(image.id, comments.page(image.id, COMMENTS))}


@blp.route("/image/<id>/comment", methods=["POST"], scope=UPLOAD)
@blp.response(201, OldCommentSchema)
def add_comment(id: str) -> Response:
    """Comment on a picture."""
    return comment_once(id, lambda comment: Answer(OldCommentSchema().dump(comment), 201))


@blp.route("/image/<id>/pag-comments", scope=READ)
@blp.arguments(CursorQuery, location="query")
@blp.response(200)
@blp.doc(responses=_answers(_page(OldCommentSchema)))
def list_comments(query: dict[str, Any], id: str) -> dict[str, Any]:
    """List the comments of a picture, newest first, twenty a page."""
    about = image_id(id)
    return _comments(about, comments.page(about, COMMENTS, **query))


@blp.route("/upload", methods=["POST"], scope=UPLOAD)
@blp.response(200, OldReceiptSchema)
@blp.doc(requestBody=BODY)
def import_csv() -> Response:
    """Store a depth log out of a CSV."""
    return import_once(lambda receipt: Answer(OldReceiptSchema().dump(receipt), 200))


@blp.route("/frames", scope=READ)
@blp.arguments(RangeQuery, location="query")
@blp.response(200, {"type": "array", "items": {"type": "string", "format": "byte"}})
def list_frames(query: dict[str, Any]) -> Response:
    """List a depth range as PNGs of one row each, coloured, ascending; empty where there is no row."""
    table, color = colormap.lut(query["colormap"], query["colormap_stops"]), null_color(query)
    blocks: Iterable[Rows] = ()
    try:
        view = View(asked(query))
        blocks = view.blocks()
    except LogNotFound:
        if query["log"] != logs.DEFAULT:  # which is merely empty before its first upload
            raise
    except NoFrames:
        blocks = ()
    return Response(streamed(_array(blocks, table, color)), mimetype="application/json")


def _array(blocks: Iterable[Rows], table: Grey, color: Color | None) -> Iterator[str]:
    lead = "["
    for block in blocks:
        yield lead + '"' + '","'.join(encode_rows(block, table, color)) + '"'
        lead = ","
    yield "]" if lead == "," else "[]"


def _comments(about: UUID, page: Page[Comment]) -> dict[str, Any]:
    return _results(page, OldCommentSchema, lambda page: links.beside(page, _comments_url(about)))


def _results(
    page: Page[Any],
    schema: type[ma.Schema],
    beside: Callable[[Page[Any]], tuple[str | None, str | None]],
) -> dict[str, Any]:
    following, previous = beside(page)
    return {"results": schema(many=True).dump(page.items), "next": following, "previous": previous}


def _picture_url(image: Image | Shown) -> str:
    return links.image(image.id) + ("/original" if image.original_key else "/thumbnails/medium")


def _comments_url(about: UUID) -> str:
    return f"{links.root()}/image/{about}/pag-comments"
