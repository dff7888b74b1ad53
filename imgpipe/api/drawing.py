"""Show a depth range in one piece: as a picture, as grey bytes, or as the CSV that it came from."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from flask import Response

from imgpipe.api.http.errors import streamed
from imgpipe.api.ranges import null_color
from imgpipe.depthlogs.terms import scale_of
from imgpipe.depthlogs.views import View
from imgpipe.scanlines import csvrows, frames, resize
from imgpipe.scanlines.rows import Grey, Mask

Query = dict[str, Any]
Plane = tuple[Grey, Mask | None]
Draw = Callable[[Grey, Grey, Mask | None, frames.Color | None], bytes]
# By format: how it is drawn, its media type, how many rows it may have, and how an error calls it.
PICTURES: dict[str, tuple[Draw, str, int, str]] = {
    "png": (frames.png, "image/png", frames.PNG_ROWS, "PNG"),
    "webp": (frames.webp, "image/webp", frames.WEBP_ROWS, "WebP"),
    "jpeg": (frames.jpeg, "image/jpeg", frames.JPEG_ROWS, "JPEG"),
}


def show_picture(view: View, query: Query, table: Grey) -> Response:
    """Draw a pixel row for each depth. Raises: ``InvalidParameter`` where that were too many pixels."""
    draw, media_type, limit, kind = PICTURES[query["format"]]
    rows = _shown(view, query)
    frames.check_rows(rows, limit, kind)
    frames.check_pixels(rows, view.width)
    planes = list(_planes(view, rows))
    grey = np.concatenate([grey for grey, _ in planes])
    holes = _joined(planes)
    del planes
    response = Response(draw(grey, table, holes, null_color(query)), mimetype=media_type)
    response.headers["X-Colormap"] = "custom" if query["colormap_stops"] else query["colormap"]
    return _describe(response, view, rows)


def show_raw(view: View, query: Query, _table: Grey) -> Response:
    """Give the grey bytes, and behind them where values are if ``mask``."""
    rows, masked = _shown(view, query), query["mask"] == "true"
    size = rows * view.width

    def body() -> Iterator[bytes]:
        for grey, _ in _planes(view, rows):
            yield grey.tobytes()
        if masked:
            for grey, holes in _planes(view, rows):
                yield frames.mask(grey, holes).tobytes()

    response = Response(streamed(body()), mimetype="application/octet-stream")
    response.content_length = 2 * size if masked else size
    return _describe(response, view, rows)


def show_csv(view: View, _query: Query, _table: Grey) -> Response:
    """Give the rows as they came; uploaded again by the same terms they make the same log."""
    rows, log = view.extent.rows, view.log
    header = csvrows.header(view.width, view.unit)
    spelled = csvrows.spell(scale_of(log))
    hole = repr(log.nulls[0]) if log.nulls else ""

    def body() -> Iterator[bytes]:
        yield header
        for block in view.blocks():
            yield csvrows.lines(block, spelled, hole)

    return _describe(Response(streamed(body()), mimetype="text/csv"), view, rows)


def _shown(view: View, query: Query) -> int:
    return min(view.extent.rows, query["max_rows"] or view.extent.rows)


def _planes(view: View, rows: int) -> Iterator[Plane]:
    """Yield the grey pixels, averaged down to so many rows, and their holes."""
    blocks = ((block.grey, block.holes) for block in view.blocks())
    if view.log.holes:
        return resize.average_rows_around(blocks, view.extent.rows, rows)
    greys = resize.average_rows((grey for grey, _ in blocks), view.extent.rows, rows)
    return ((grey, None) for grey in greys)


def _joined(planes: list[Plane]) -> Mask | None:
    if all(holes is None for _, holes in planes):
        return None
    whole = [np.zeros(grey.shape, np.bool_) if holes is None else holes for grey, holes in planes]
    return np.concatenate(whole)


def _describe(response: Response, view: View, rows: int) -> Response:
    extent = view.extent
    told = {"Rows": rows, "Width": view.width, "Depth-Min": extent.depth_min, "Depth-Max": extent.depth_max}
    for name, value in told.items():
        response.headers[f"X-Frame-{name}"] = repr(value)
    if view.unit:
        response.headers["X-Frame-Depth-Unit"] = view.unit
    return response
