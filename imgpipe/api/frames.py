"""Show the rows of a depth range: as frames one by one, as one picture, or as bare grey bytes."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from flask import Response, request
from numpy.typing import NDArray

from imgpipe.api.http import links
from imgpipe.api.http.blueprint import Blueprint
from imgpipe.api.http.files import REVALIDATE
from imgpipe.api.ranges import ColormapSchema, FramesPageSchema, FramesQuery
from imgpipe.depthlogs.ranges import Extent, Interval
from imgpipe.scanlines import colormap, frames, resize

Pixels = NDArray[np.uint8]
Query = dict[str, Any]

blp = Blueprint("frames", __name__, description="Frames of depth logs")


@blp.route("/api/frames")
@blp.arguments(FramesQuery, location="query")
@blp.response(200, FramesPageSchema)
def show_frames(query: Query) -> Response:
    """Show a depth range, ends included, ascending: `json` page by page, `png`, `webp` or `raw` in one.

    The pictures carry `X-Frame-Rows`, `-Width`, `-Depth-Min` and `-Depth-Max`. A png has at most 100,000
    rows and a webp 16,383: `max_rows` averages neighbouring rows down.
    """
    table = colormap.lut(query["colormap"], query["colormap_stops"])
    bounds = query["log"], query["depth_min"], query["depth_max"]
    interval = Interval(*bounds, source=query["pixels"] == "source")
    etag = _etag(interval, query, table)
    known = request.if_none_match.contains_weak(etag)
    response = Response(status=304) if known else _SHOW[query["format"]](interval, query, table)
    response.set_etag(etag)
    response.headers["Cache-Control"] = REVALIDATE
    return response


@blp.route("/api/frames/colormaps")
@blp.response(200, ColormapSchema(many=True))
def list_colormaps() -> list[colormap.Entry]:
    """List the colour maps, the default first; `_r` behind a name reverses it."""
    return colormap.catalogue()


def encode_rows(pixels: Pixels, table: Pixels) -> list[str]:
    """Return each row as a PNG of its own in base64."""
    return [b64encode(picture).decode() for picture in frames.row_pngs(pixels, table)]


def _etag(interval: Interval, query: Query, table: Pixels) -> str:
    """Name the bytes of an answer by all that they are made of."""
    options = [query[name] for name in ("format", "max_rows", "limit", "cursor")]
    made_of = repr([interval.state, *options]).encode() + table.tobytes()
    return hashlib.blake2b(made_of, digest_size=16).hexdigest()


def _show_json(interval: Interval, query: Query, table: Pixels) -> Response:
    page = interval.page(query["limit"], query["cursor"])
    depths = [depth for rows in page.items for depth in rows.depths.tolist()]
    pictures = [picture for rows in page.items for picture in encode_rows(rows.grey, table)]
    following, previous = links.beside(page)
    envelope = {
        "status": "success",
        "data": {
            "log": interval.log.name,
            "width": resize.WIDTH,
            "count": len(depths),
            "colormap": None if query["colormap_stops"] else query["colormap"],
            "depth_min": depths[0],
            "depth_max": depths[-1],
            "frames": [],
        },
        "next": following,
        "previous": previous,
        "error": None,
    }
    # Written by hand, in half the time: base64 and finite numbers need nothing that a JSON encoder looks for.
    written = ",".join(
        [f'{{"depth":{depth!r},"image":"{image}"}}' for depth, image in zip(depths, pictures, strict=True)]
    )
    body = json.dumps(envelope).replace('"frames": []', f'"frames": [{written}]', 1)
    return Response(body, mimetype="application/json")


def _show_png(interval: Interval, query: Query, table: Pixels) -> Response:
    rows, width, blocks = _averaged(interval, query)
    frames.check_rows(rows, frames.PNG_ROWS, "PNG")
    picture = frames.png(np.concatenate(list(blocks)), table)
    return _describe(Response(picture, mimetype="image/png"), rows, width, interval.extent)


def _show_webp(interval: Interval, query: Query, table: Pixels) -> Response:
    rows, width, blocks = _averaged(interval, query)
    frames.check_rows(rows, frames.WEBP_ROWS, "WebP")
    picture = frames.webp(np.concatenate(list(blocks)), table)
    return _describe(Response(picture, mimetype="image/webp"), rows, width, interval.extent)


def _show_raw(interval: Interval, query: Query, _table: Pixels) -> Response:
    rows, width, blocks = _averaged(interval, query)
    body = (block.tobytes() for block in blocks)
    response = Response(body, mimetype="application/octet-stream")
    response.content_length = rows * width
    return _describe(response, rows, width, interval.extent)


def _averaged(interval: Interval, query: Query) -> tuple[int, int, Iterator[Pixels]]:
    """Return rows and width of the picture, and its pixels in blocks."""
    rows = interval.extent.rows
    shown = min(rows, query["max_rows"] or rows)
    blocks = (block.grey for block in interval.blocks())
    return shown, interval.width, resize.average_rows(blocks, rows, shown)


def _describe(response: Response, rows: int, width: int, extent: Extent) -> Response:
    told = {"Rows": rows, "Width": width, "Depth-Min": extent.depth_min, "Depth-Max": extent.depth_max}
    for name, value in told.items():
        response.headers[f"X-Frame-{name}"] = repr(value)
    return response


_SHOW: dict[str, Callable[[Interval, Query, Pixels], Response]] = {
    "json": _show_json,
    "png": _show_png,
    "webp": _show_webp,
    "raw": _show_raw,
}
