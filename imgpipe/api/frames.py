"""Show frames of depth logs: a range of depths as JSON, as one picture, as raw grey or as CSV."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from flask import Response, request

from imgpipe.api import drawing
from imgpipe.api.http import links
from imgpipe.api.http.blueprint import Blueprint
from imgpipe.api.http.files import REVALIDATE
from imgpipe.api.http.scopes import READ
from imgpipe.api.ranges import ColormapSchema, FramesPageSchema, FramesQuery, asked, null_color
from imgpipe.depthlogs.terms import scale_of
from imgpipe.depthlogs.views import View
from imgpipe.scanlines import colormap, frames, resize
from imgpipe.scanlines.rows import Grey, Rows

Query = dict[str, Any]

blp = Blueprint("frames", __name__, description="Frames of depth logs")


@blp.route("/api/frames", scope=READ)
@blp.arguments(FramesQuery, location="query")
@blp.response(200, FramesPageSchema)
def show_frames(query: Query) -> Response:
    """Show a depth range, ends included, ascending: `json` page by page, the other formats in one.

    These carry `X-Frame-Rows`, `-Width`, `-Depth-Min`, `-Depth-Max`, and `-Depth-Unit` where it is known;
    pictures `X-Colormap`. A png has at most 100,000 rows and 20,000,000 pixels, a webp 16,383 rows, a jpeg
    65,500: `max_rows` averages neighbouring rows down.
    """
    table = colormap.lut(query["colormap"], query["colormap_stops"])
    source = query["pixels"] == "source" or query["format"] == "csv"
    view = View(asked(query, source=source))
    etag = _etag(view, query, table)
    known = request.if_none_match.contains_weak(etag)
    response = Response(status=304) if known else _SHOW[query["format"]](view, query, table)
    response.set_etag(etag)
    response.headers["Cache-Control"] = REVALIDATE
    return response


@blp.route("/api/frames/colormaps", scope=READ)
@blp.response(200, ColormapSchema(many=True))
def list_colormaps() -> list[colormap.Entry]:
    """List the colour maps, the default first; `_r` behind a name reverses it."""
    return colormap.catalogue()


def encode_rows(rows: Rows, table: Grey, null_color: frames.Color | None = None) -> list[str]:
    """Return each row as a PNG of its own in base64."""
    pictures = frames.row_pngs(rows.grey, table, rows.holes, null_color)
    return [b64encode(picture).decode() for picture in pictures]


def _etag(view: View, query: Query, table: Grey) -> str:
    """Name the bytes of an answer by all that they are made of."""
    options = [query[name] for name in ("format", "max_rows", "limit", "cursor", "mask", "null_color")]
    made_of = repr([view.state, *options]).encode() + table.tobytes()
    return hashlib.blake2b(made_of, digest_size=16).hexdigest()


def _show_json(view: View, query: Query, table: Grey) -> Response:
    page = view.page(query["limit"], query["cursor"])
    written = ",".join(_written(rows, view, query, table) for rows in page.items)
    following, previous = links.beside(page)
    scale = scale_of(view.log)
    data: dict[str, Any] = {
        "log": view.log.name,
        "width": resize.WIDTH,
        "count": sum(len(rows.depths) for rows in page.items),
        "colormap": None if query["colormap_stops"] else query["colormap"],
        "depth_min": float(page.items[0].depths[0]),
        "depth_max": float(page.items[-1].depths[-1]),
        **({"depth_unit": view.unit} if view.unit else {}),
        **({"value_min": scale.value_min, "value_max": scale.value_max} if scale else {}),
        "frames": [],
    }
    envelope = {"status": "success", "data": data, "next": following, "previous": previous, "error": None}
    body = json.dumps(envelope).replace('"frames": []', f'"frames": [{written}]', 1)
    return Response(body, mimetype="application/json")


def _written(rows: Rows, view: View, query: Query, table: Grey) -> str:
    """Write frames by hand, in half the time: base64 and finite numbers need nothing from a JSON encoder."""
    pictures = encode_rows(rows, table, null_color(query))
    depths = rows.depths.tolist()
    if not view.log.holes:
        pairs = zip(depths, pictures, strict=True)
        return ",".join([f'{{"depth":{depth!r},"image":"{image}"}}' for depth, image in pairs])
    counts = [0] * len(depths) if rows.holes is None else rows.holes.sum(axis=1).tolist()
    frames = zip(depths, pictures, counts, strict=True)
    return ",".join(
        [f'{{"depth":{depth!r},"image":"{image}","holes":{count}}}' for depth, image, count in frames]
    )


_SHOW: dict[str, Callable[[View, Query, Grey], Response]] = {
    "json": _show_json,
    "raw": drawing.show_raw,
    "csv": drawing.show_csv,
    **dict.fromkeys(drawing.PICTURES, drawing.show_picture),
}
