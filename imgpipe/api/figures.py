"""Draw depth logs as a figure for a report."""

import hashlib
import math
from typing import Any

import marshmallow as ma
import numpy as np
from flask import Response, request
from marshmallow import fields, validate

from imgpipe.api.http.blueprint import Blueprint
from imgpipe.api.http.files import REVALIDATE
from imgpipe.api.http.scopes import READ
from imgpipe.api.ranges import Depth, LogName, ViewQuery, asked, null_color
from imgpipe.depthlogs import logs
from imgpipe.depthlogs.terms import scale_of
from imgpipe.depthlogs.views import View
from imgpipe.errors import InvalidParameter
from imgpipe.scanlines import colormap, figure, frames
from imgpipe.scanlines.figure import Track
from imgpipe.scanlines.rows import Rows

TITLE_LENGTH = 200
MEDIA_TYPES = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}
Query = dict[str, Any]

blp = Blueprint("figures", __name__, description="Figures of depth logs")


class FigureQuery(ViewQuery):
    """Which logs, over which depths, and as what to draw them."""

    log = fields.List(  # type: ignore[assignment]
        LogName(),
        load_default=[logs.DEFAULT],
        validate=validate.Length(1, figure.LOGS),
        metadata={"description": "repeated for logs side by side"},
    )
    depth_min = Depth(load_default=-math.inf, metadata={"description": "left out: from the top"})
    depth_max = Depth(load_default=math.inf, metadata={"description": "left out: to the bottom"})
    format = fields.String(load_default="png", validate=validate.OneOf(figure.FORMATS))
    scale = fields.String(
        load_default=None,
        metadata={"description": "of depths on paper: `1:200`", "pattern": "^1:[1-9][0-9]{0,5}$"},
    )
    title = fields.String(load_default=None, validate=validate.Length(1, TITLE_LENGTH))

    @ma.validates("title")
    def _check_title(self, title: str | None, **_: Any) -> None:
        if title is not None and not title.isprintable():
            raise ma.ValidationError("expected printable characters")


@blp.route("/api/frames/figure", scope=READ)
@blp.arguments(FigureQuery, location="query")
@blp.response(200, {"type": "string", "format": "binary"}, content_type="image/png")
def show_figure(query: Query) -> Response:
    """Draw logs side by side on one depth axis, with colour bars of true values, as png, svg or pdf.

    With `scale=1:200` a metre of depth is 5 mm on paper, of which a figure has at most 200 inches. It needs
    the extra `figures`.
    """
    scale = None if query["scale"] is None else figure.parse_scale(query["scale"])
    table = colormap.lut(query["colormap"], query["colormap_stops"])
    hole = null_color(query)
    views = [View(asked({**query, "log": name})) for name in query["log"]]
    etag = _etag(views, query, table.tobytes())
    response = Response(status=304)
    if not request.if_none_match.contains_weak(etag):
        options: Query = {"title": query["title"], "scale": scale, "format": query["format"]}
        unit, bounds = _unit_of(views), _bounds_of(views, query)
        figure.find_height(*bounds, unit, scale)  # before the rows are read
        tracks = [_track(view) for view in views]
        drawn = figure.draw(tracks, table, bounds=bounds, depth_unit=unit, null_color=hole, **options)
        response = Response(drawn, mimetype=MEDIA_TYPES[query["format"]])
    response.set_etag(etag)
    response.headers["Cache-Control"] = REVALIDATE
    return response


def _track(view: View) -> Track:
    frames.check_rows(view.extent.rows, frames.PNG_ROWS, "figure")
    parts = list(view.blocks())
    holes = None
    if any(part.holes is not None for part in parts):
        holes = np.concatenate(
            [np.zeros(part.grey.shape, bool) if part.holes is None else part.holes for part in parts]
        )
    depths, grey = (np.concatenate([getattr(part, name) for part in parts]) for name in ("depths", "grey"))
    log = view.log
    return Track(log.name, Rows(depths, grey, holes), scale_of(log), log.value_unit, view.greys)


def _unit_of(views: list[View]) -> str | None:
    """Return the unit of all depths. Raises: ``InvalidParameter`` where they have several."""
    found = {view.unit for view in views}
    if len(found) > 1:
        raise InvalidParameter(
            f"unit: the logs' depths are in {' and '.join(sorted(map(str, found)))}; say which to draw in",
            details={"parameter": "unit"},
        )
    return found.pop()


def _bounds_of(views: list[View], query: Query) -> tuple[float, float]:
    low, high = query["depth_min"], query["depth_max"]
    extents = [view.extent for view in views]
    return (
        low if math.isfinite(low) else min(extent.depth_min for extent in extents),
        high if math.isfinite(high) else max(extent.depth_max for extent in extents),
    )


def _etag(views: list[View], query: Query, table: bytes) -> str:
    options = [query[name] for name in ("format", "scale", "title", "null_color")]
    made_of = repr([*(view.state for view in views), options]).encode() + table
    return hashlib.blake2b(made_of, digest_size=16).hexdigest()
