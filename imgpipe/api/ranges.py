"""Describe what is asked of depth logs and what they answer."""

import math
import re
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from imgpipe.api.schemas import Digits, PageQuery, Utc
from imgpipe.depthlogs import logs
from imgpipe.errors import InvalidParameter
from imgpipe.scanlines import colormap, frames, resize

DEFAULT_FRAMES = 1_000
MAX_FRAMES = 10_000
LOGS = 500
FORMATS = ("json", "png", "webp", "raw")
_DEPTH = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# The formats in which an option means something; in the others it would be ignored in silence.
_GOES_WITH = {
    "limit": ("json",),
    "cursor": ("json",),
    "max_rows": ("png", "webp", "raw"),
    "pixels": ("png", "raw"),
}


class Depth(fields.Float):
    """A finite depth in plain ASCII decimals, read to the nearest 64-bit float."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        depth = float(value) if isinstance(value, str) and _DEPTH.fullmatch(value) else math.nan
        if not math.isfinite(depth):
            raise ma.ValidationError("expected a finite decimal number")
        return depth


class LogName(fields.String):
    """The name of a log."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        name = str(super()._deserialize(value, attr, data, **kwargs))
        try:
            logs.check_name(name)
        except InvalidParameter as error:
            raise ma.ValidationError(error.message.removeprefix("log: ")) from error
        return name


class RangeQuery(ma.Schema):
    """Which depths of which log, ends included, and how to colour them."""

    depth_min = Depth(required=True)
    depth_max = Depth(required=True)
    log = LogName(load_default=logs.DEFAULT)
    colormap = fields.String(
        load_default=colormap.DEFAULT,
        metadata={"description": f"{', '.join(colormap.NAMES)}; `_r` behind the name reverses it"},
    )
    colormap_stops = fields.String(
        load_default=None,
        metadata={"description": "a map of your own, such as `0:000000,128:ff0000,255:ffffff`"},
    )

    @ma.validates_schema
    def _check_order(self, query: dict[str, Any], **_: Any) -> None:
        if query["depth_min"] > query["depth_max"]:
            raise ma.ValidationError("expected a depth not above depth_max", "depth_min")


class FramesQuery(RangeQuery):
    """As what to show them."""

    format = fields.String(load_default="json", validate=validate.OneOf(FORMATS))
    limit = Digits(1, MAX_FRAMES, load_default=DEFAULT_FRAMES, metadata={"description": "json only"})
    cursor = fields.String(load_default=None, metadata={"description": "json only; from `next`, `previous`"})
    max_rows = Digits(
        1,
        frames.PNG_ROWS,
        load_default=None,
        metadata={"description": "average neighbouring rows down to so many; png, webp, raw"},
    )
    pixels = fields.String(
        load_default="resized",
        validate=validate.OneOf(("resized", "source")),
        metadata={"description": f"{resize.WIDTH} wide, or as uploaded; png, raw"},
    )

    @ma.validates_schema(pass_original=True)
    def _check_format(self, query: dict[str, Any], sent: Any, **_: Any) -> None:
        for name, formats in _GOES_WITH.items():
            if name in sent and query["format"] not in formats and query[name] != "resized":
                raise ma.ValidationError(f"goes with format={' or '.join(formats)} only", name)


class LogsQuery(PageQuery):
    """Which page of the list of logs."""

    limit = Digits(1, LOGS, load_default=LOGS)


class ReceiptSchema(ma.Schema):
    """What one upload brought."""

    log = fields.String()
    rows = fields.Integer(metadata={"description": "distinct depths stored"})
    skipped = fields.Integer(metadata={"description": "blank lines"})
    duplicates = fields.Integer(metadata={"description": "lines whose depth came again later in the file"})
    replaced = fields.Integer(metadata={"description": "earlier rows of the same depths"})
    depth_min = fields.Float()
    depth_max = fields.Float()
    depth_step = fields.Float(allow_none=True, metadata={"description": "median difference of neighbours"})
    source_width = fields.Integer(metadata={"description": "pixels in a line of the CSV"})
    width = fields.Integer(metadata={"description": "pixels in a frame"})


class LogSchema(ma.Schema):
    """What is stored of a log."""

    log = fields.String(attribute="name")
    rows = fields.Integer()
    depth_min = fields.Float()
    depth_max = fields.Float()
    depth_step = fields.Float(allow_none=True, metadata={"description": "median difference of neighbours"})
    width = fields.Constant(resize.WIDTH, metadata={"type": "integer", "description": "pixels in a frame"})
    source_width = fields.Function(
        lambda log: max(log.source_widths),
        metadata={"type": "integer", "description": "the widest of `source_widths`"},
    )
    source_widths = fields.List(fields.Integer(), metadata={"description": "widths of the uploaded rows"})
    uploads = fields.Integer(metadata={"description": "how many CSVs it was made of"})
    created_at = Utc()
    changed_at = Utc()


class FrameSchema(ma.Schema):
    """One depth."""

    depth = fields.Float()
    image = fields.String(metadata={"format": "byte", "description": f"a PNG of {resize.WIDTH} x 1 px"})


class FramesSchema(ma.Schema):
    """A page of frames, ascending; count and depths are those of the page."""

    log = fields.String()
    width = fields.Integer()
    count = fields.Integer()
    colormap = fields.String(allow_none=True, metadata={"description": "null with stops of your own"})
    depth_min = fields.Float()
    depth_max = fields.Float()
    frames = fields.List(fields.Nested(FrameSchema))


class FramesPageSchema(ma.Schema):
    """Frames, and the addresses of the pages beside them."""

    paged = True
    data = fields.Nested(FramesSchema)
    next = fields.String(allow_none=True)
    previous = fields.String(allow_none=True)


class ColormapSchema(ma.Schema):
    """A colour map to choose."""

    name = fields.String()
    description = fields.String()
    preview = fields.String(metadata={"description": "a picture of it, 256 x 1 px, as a data URI"})
