"""Stream pictures and captions out as a data set."""

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

import marshmallow as ma
from flask import Flask, Response
from marshmallow import fields, validate

from imgpipe.api.http.blueprint import Blueprint
from imgpipe.api.http.errors import streamed
from imgpipe.api.http.scopes import READ
from imgpipe.api.http.share import Share
from imgpipe.api.schemas import MAX_LIMIT, MAX_QUERY, Digits, ImagesQuery
from imgpipe.datasets import samples, streams
from imgpipe.datasets.samples import Recipe
from imgpipe.datasets.selection import Selection, read_split
from imgpipe.errors import Busy
from imgpipe.extensions import present_app

RETRY_AFTER_S = 10
PREFIX_LENGTH = 200
blp = Blueprint("exports", __name__, description="Data sets")
_exporting = Share(of=4)


class ExportQuery(ma.Schema):
    """Which pictures, and in which form."""

    format = fields.String(required=True, validate=validate.OneOf(list(streams.KINDS)))
    size = fields.String(load_default=samples.SIZES[0], validate=validate.OneOf(samples.SIZES))
    label = ImagesQuery._declared_fields["label"]
    q = fields.String(load_default="", validate=validate.Length(max=MAX_QUERY))
    captioned = fields.Boolean(load_default=False, metadata={"description": "only with a caption"})
    exclude_near_duplicates = fields.Boolean(
        load_default=False, metadata={"description": "without what looks like an older one of the set"}
    )
    prefix = fields.String(load_default="", validate=validate.Length(max=PREFIX_LENGTH))
    split = fields.String(load_default="", metadata={"example": "train=0.9,val=0.1"})
    limit = Digits(1, 10**9 - 1, load_default=None)
    after = fields.UUID(load_default=None, metadata={"description": "go on behind this `image_id`"})
    id = fields.List(
        fields.UUID(),
        load_default=list,
        validate=validate.Length(max=MAX_LIMIT),
        metadata={"description": "only this picture; repeated: only these"},
    )


@blp.route("/api/exports", scope=READ)
@blp.arguments(ExportQuery, location="query")
@blp.response(200, {"type": "string", "format": "binary"}, content_type="application/zip")
@blp.alt_response(503, description="Too many exports at once")
def export(query: dict[str, Any]) -> Response:
    """Stream a data set: a zip, a tar or lines of JSON, by ascending id; the same set is the same bytes."""
    kind, recipe = streams.KINDS[query["format"]], _recipe(query)
    if not _exporting.enter():
        raise Busy("Too many exports are under way; try again shortly.", retry_after_s=RETRY_AFTER_S)
    try:
        pieces = _begun(streams.stream(query["format"], recipe))
    except BaseException:
        _exporting.leave()
        raise
    response = Response(streamed(pieces), mimetype=kind.mime)
    response.call_on_close(_exporting.leave)
    name = f"imgpipe-{query['format']}.{kind.suffix}"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _recipe(query: dict[str, Any]) -> Recipe:
    chosen = Selection(
        labels=query["label"],
        q=query["q"],
        captioned=query["captioned"],
        ids=query["id"],
        distinct=query["exclude_near_duplicates"],
        after=query["after"],
        limit=query["limit"],
    )
    split = read_split(query["split"]) if query["split"] else ()
    return Recipe(chosen, query["size"], query["prefix"], split)


def _begun(pieces: Generator[bytes, None, None]) -> Iterator[bytes]:
    """Make the first piece now, so that a database or storage that is away is still told as such."""
    return _stepwise(present_app(), pieces, next(pieces, b""))


def _stepwise(app: Flask, pieces: Generator[bytes, None, None], piece: bytes | None) -> Iterator[bytes]:
    """Yield piece by piece, each made in a context of its own: none is open while the client reads."""
    with closing(pieces):
        while piece is not None:
            yield piece
            with app.app_context():
                piece = next(pieces, None)
