"""Describe what is asked of depth logs and what they answer."""

import math
import re
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from imgpipe.api.schemas import Digits, PageQuery, Utc
from imgpipe.depthlogs import logs
from imgpipe.depthlogs.views import Asked
from imgpipe.errors import InvalidParameter
from imgpipe.scanlines import colormap, contrast, frames, resize, units

DEFAULT_FRAMES = 1_000
MAX_FRAMES = 10_000
LOGS = 500
FORMATS = ("json", "png", "webp", "jpeg", "raw", "csv")
_DEPTH = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# The formats in which an option means something; in the others it would be ignored in silence.
_GOES_WITH = {
    "limit": ("json",),
    "cursor": ("json",),
    "max_rows": ("png", "webp", "jpeg", "raw"),
    "pixels": ("png", "raw"),
    "mask": ("raw",),
    "contrast": ("json", "png", "webp", "jpeg", "raw"),
}
_IDLE = ("resized", "false", "none")  # what changes nothing is fine everywhere


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


class ViewQuery(ma.Schema):
    """Which log, in which unit of depth, and how to stretch and colour it."""

    log = LogName(load_default=logs.DEFAULT)
    colormap = fields.String(
        load_default=colormap.DEFAULT,
        metadata={
            "description": f"{', '.join(colormap.NAMES)}; `_r` behind the name reverses it",
            "pattern": f"^({'|'.join(colormap.NAMES)})(_r)?$",
        },
    )
    colormap_stops = fields.String(
        load_default=None,
        metadata={
            "description": "a map of your own, such as `0:000000,128:ff0000,255:ffffff`",
            "pattern": "^[0-9]{1,3}:[0-9a-fA-F]{6}(,[0-9]{1,3}:[0-9a-fA-F]{6})+$",
        },
    )
    unit = fields.String(
        load_default=None,
        validate=validate.OneOf(tuple(units.METRES)),
        metadata={"description": "of depths and window, asked and told; left out it is the log's own"},
    )
    contrast = fields.String(
        load_default="none",
        validate=validate.OneOf(contrast.KINDS),
        metadata={"description": "stretch the greys by the histogram of the log, or of a window"},
    )
    percentiles = fields.String(
        load_default=None, metadata={"description": "which become black and white when linear: `2,98`"}
    )
    window = fields.String(
        load_default=None,
        metadata={"description": "height of the rows, around each, whose histogram counts for it"},
    )
    null_color = fields.String(
        load_default=None,
        metadata={
            "description": "of holes, `RRGGBB`; left out they are transparent",
            "pattern": "^[0-9a-fA-F]{6}$",
        },
    )

    @ma.validates_schema
    def _check_order(self, query: dict[str, Any], **_: Any) -> None:
        low, high = query.get("depth_min"), query.get("depth_max")
        if low is not None and high is not None and low > high:
            raise ma.ValidationError("expected a depth not above depth_max", "depth_min")


class RangeQuery(ViewQuery):
    """A range of depths, ends included."""

    depth_min = Depth(required=True)
    depth_max = Depth(required=True)


class FramesQuery(ViewQuery):
    """A range of depths, ends included, open where an end is left out, and as what to show it."""

    depth_min = Depth(load_default=-math.inf, metadata={"description": "left out: from the top"})
    depth_max = Depth(load_default=math.inf, metadata={"description": "left out: to the bottom"})
    format = fields.String(load_default="json", validate=validate.OneOf(FORMATS))
    limit = Digits(1, MAX_FRAMES, load_default=DEFAULT_FRAMES, metadata={"description": "json only"})
    cursor = fields.String(load_default=None, metadata={"description": "json only; from `next`, `previous`"})
    max_rows = Digits(
        1,
        frames.PNG_ROWS,
        load_default=None,
        metadata={"description": "average neighbouring rows down to so many; png, webp, jpeg, raw"},
    )
    pixels = fields.String(
        load_default="resized",
        validate=validate.OneOf(("resized", "source")),
        metadata={"description": f"{resize.WIDTH} wide, or as uploaded; png, raw"},
    )
    mask = fields.String(
        load_default="false",
        validate=validate.OneOf(("true", "false")),
        metadata={"description": "raw: a second plane behind the grey one, 255 for a value, 0 for a hole"},
    )

    @ma.validates_schema(pass_original=True)
    def _check_format(self, query: dict[str, Any], sent: Any, **_: Any) -> None:
        for name, formats in _GOES_WITH.items():
            if name in sent and query["format"] not in formats and query[name] not in _IDLE:
                raise ma.ValidationError(f"goes with format={' or '.join(formats)} only", name)
        if query["pixels"] == "source" and query["contrast"] != "none":
            raise ma.ValidationError("goes with the resized pixels only", "contrast")


def asked(query: dict[str, Any], *, source: bool = False) -> Asked:
    """Say in the words of depth logs what a query asks. Raises: ``InvalidParameter``."""
    how = contrast.parse(query["contrast"], query["percentiles"], query["window"])
    bounds = query["depth_min"], query["depth_max"]
    return Asked(query["log"], *bounds, source=source, unit=query["unit"], contrast=how)


def null_color(query: dict[str, Any]) -> frames.Color | None:
    """Return the colour of holes, None for none. Raises: ``InvalidParameter``."""
    return None if query["null_color"] is None else frames.parse_null_color(query["null_color"])


_SPARSE = ("clipped", "value_min", "value_max", "value_unit", "depth_unit", "null", "holes")


class LogsQuery(PageQuery):
    """Which page of the list of logs."""

    limit = Digits(1, LOGS, load_default=LOGS)


class Sparse(ma.Schema):
    """Leave out what is told of scaled logs, and of those with units, only."""

    @ma.post_dump
    def _drop_unknown(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if value is not None or name not in _SPARSE}


class ReceiptSchema(Sparse):
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
    clipped = fields.Integer(metadata={"description": "values outside of the scale"})
    value_min = fields.Float(metadata={"description": "the true value of grey 0, where there is a scale"})
    value_max = fields.Float(metadata={"description": "the true value of grey 255"})
    value_unit = fields.String()
    depth_unit = fields.String(metadata={"description": "where it is known"})


class LogSchema(Sparse):
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
    value_min = fields.Float(metadata={"description": "the true value of grey 0, where there is a scale"})
    value_max = fields.Float(metadata={"description": "the true value of grey 255"})
    depth_unit = fields.String(metadata={"description": "where it is known"})
    value_unit = fields.String()
    null = fields.List(fields.Float(), attribute="nulls", metadata={"description": "values that are holes"})
    holes = fields.Function(lambda log: log.holes or None, metadata={"type": "integer"})
    uploads = fields.Integer(metadata={"description": "how many CSVs it was made of"})
    created_at = Utc()
    changed_at = Utc()


class FrameSchema(ma.Schema):
    """One depth; ``holes`` where the log has any."""

    depth = fields.Float()
    image = fields.String(metadata={"format": "byte", "description": f"a PNG of {resize.WIDTH} x 1 px"})
    holes = fields.Integer(metadata={"description": "pixels that are holes"})


class FramesSchema(ma.Schema):
    """A page of frames, ascending; count and depths are those of the page."""

    log = fields.String()
    width = fields.Integer()
    count = fields.Integer()
    colormap = fields.String(allow_none=True, metadata={"description": "null with stops of your own"})
    depth_min = fields.Float()
    depth_max = fields.Float()
    depth_unit = fields.String(metadata={"description": "where it is known"})
    value_min = fields.Float(metadata={"description": "the true value of grey 0, where there is a scale"})
    value_max = fields.Float(metadata={"description": "the true value of grey 255"})
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
