"""Describe what goes in and out; the same schemas validate, serialise and document."""

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import marshmallow as ma
from marshmallow import fields, validate

from imgpipe.api.http import links
from imgpipe.api.http.blueprint import Paged
from imgpipe.database.models import Image
from imgpipe.database.paging import Page
from imgpipe.errors import ImageNotFound, ImgpipeError
from imgpipe.extensions import parts
from imgpipe.imaging.formats import FORMATS

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
MAX_WAIT_S = 30
MAX_QUERY = 200
STATUSES = ("processing", "success", "failed")
CAPTION_STATUSES = ("pending", "done", "failed", "skipped")
_LINK = {"type": "string", "format": "uri-reference"}
_TEXT = {"type": "string"}
_NUMBER = {"type": "number", "nullable": True}
_EXIF = {"type": "object", "nullable": True, "additionalProperties": True}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def image_id(raw: str) -> UUID:
    """Read a picture's id out of a path. Raises: ``ImageNotFound`` also where it is malformed."""
    return uuid_in(raw, ImageNotFound)


def uuid_in(raw: str, fault: type[ImgpipeError]) -> UUID:
    """Read an id. Raises: ``fault`` where it is malformed."""
    if not _UUID.fullmatch(raw):
        raise fault
    return UUID(raw)


class Digits(fields.Integer):
    """A whole number in plain ASCII digits, within ``low`` and ``high``."""

    def __init__(self, low: int, high: int, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(low, high), **kwargs)
        self._text = f"expected a whole number from {low} to {high}"

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,9}", value):
            raise ma.ValidationError(self._text)
        return int(value)


class _Kept:
    """Give out what is kept as it is: it has the very shape already, and marshmallow would search for it."""

    attribute: str | None

    def serialize(self, attr: str, obj: Any, *_: Any, **__: Any) -> Any:
        """Return what the attribute holds."""
        return getattr(obj, self.attribute or attr)


class Utc(_Kept, fields.Field[datetime]):
    """A UTC time as ISO 8601 with ``Z``, to the millisecond."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"type": "string", "format": "date-time"}, **kwargs)

    def serialize(self, *args: Any, **kwargs: Any) -> str | None:
        """Write the time that the attribute holds."""
        value: datetime | None = super().serialize(*args, **kwargs)
        if value is None:
            return None
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Text(_Kept, fields.String):
    """A text, or null."""


class Texts(_Kept, fields.List[str]):
    """A list of texts."""


class AsStored(_Kept, fields.Nested):
    """An object of some schema, or null."""


class PageQuery(ma.Schema):
    """Which page of a list."""

    limit = Digits(1, MAX_LIMIT, load_default=DEFAULT_LIMIT)
    cursor = fields.String(load_default=None, metadata={"description": "from `next` or `previous`"})


class ImagesQuery(PageQuery):
    """Which pictures."""

    status = fields.String(load_default=None, validate=validate.OneOf(STATUSES))
    q = fields.String(
        load_default=None,
        validate=validate.Length(max=MAX_QUERY),
        metadata={"description": "words in name or caption, the last one a prefix"},
    )
    label = fields.List(
        fields.String(validate=validate.Length(1, 64)),
        load_default=list,
        validate=validate.Length(max=64),
        metadata={"description": "only pictures that have this label; repeated: all of them"},
    )
    caption_status = fields.String(load_default=None, validate=validate.OneOf(CAPTION_STATUSES))


class WaitQuery(ma.Schema):
    """How long to wait for the end of the processing."""

    wait = Digits(0, MAX_WAIT_S, load_default=0, metadata={"description": "seconds"})


class ErrorSchema(ma.Schema):
    """The shape of every error."""

    status = fields.String(metadata={"enum": ["error"]})
    data = fields.Raw(allow_none=True, metadata={"enum": [None]})
    error = fields.String(metadata={"description": "one sentence"})
    code = fields.String(metadata={"example": "image_not_found"})
    details = fields.Dict()
    request_id = fields.String()


class MetadataSchema(ma.Schema):
    """What the picture's header and EXIF say; width and height are those of the upright picture."""

    width = fields.Integer(metadata={"example": 1920})
    height = fields.Integer(metadata={"example": 1080})
    format = fields.String(metadata={"enum": list(FORMATS)})
    size_bytes = fields.Integer(metadata={"example": 2_048_576})
    mode = fields.String(metadata={"example": "RGB"})
    orientation = fields.Integer()
    datetime = fields.String(allow_none=True, metadata={"example": "2026-11-20T16:02:11"})
    exif = fields.Dict()


class CaptionErrorSchema(ma.Schema):
    """Why there is no caption; the provider's own type and param where it names them."""

    code = fields.String()
    message = fields.String()
    type = fields.Raw(allow_none=True)
    param = fields.Raw(allow_none=True)


class CaptionSourceSchema(ma.Schema):
    """Who wrote the caption: a provider's model, or `human`; and the prompt, where one was asked for."""

    provider = fields.String()
    model = fields.String(allow_none=True)
    prompt = fields.String()


class ImageItemSchema(ma.Schema):
    """A picture as it stands in lists: without EXIF."""

    image_id = fields.UUID(attribute="id")
    original_name = Text()
    status = Text(metadata={"enum": list(STATUSES)})
    uploaded_at = Utc()
    processed_at = Utc(allow_none=True)
    processing_time_ms = fields.Function(
        lambda image: image.worked_ms if image.processed_at else None,
        metadata={"type": "integer", "nullable": True},
    )
    sha256 = Text()
    error = Text(allow_none=True)
    error_code = Text(allow_none=True)
    metadata: fields.Field[Any] = AsStored(MetadataSchema, attribute="facts", allow_none=True)
    thumbnails = fields.Method(
        "_thumbnails", metadata={"type": "object", "additionalProperties": {"type": "string"}}
    )
    caption = Text(allow_none=True)
    caption_status = Text(metadata={"enum": list(CAPTION_STATUSES)})
    caption_error = AsStored(CaptionErrorSchema, allow_none=True)
    caption_source = AsStored(CaptionSourceSchema, allow_none=True)
    labels = Texts(fields.String())
    color = fields.Function(
        lambda image: image.color or None,
        metadata={"type": "string", "nullable": True, "description": "the dominant one, #rrggbb, or null"},
    )
    original_url = fields.Function(lambda image: links.image(image.id) + "/original", metadata=_LINK)
    comments_url = fields.Function(lambda image: links.image(image.id) + "/comments", metadata=_LINK)

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        """Read an attribute as such; marshmallow would try for an item first, field by field."""
        return getattr(obj, attr, default)

    def _thumbnails(self, image: Image) -> dict[str, str]:
        base = f"{links.image(image.id)}/thumbnails/"
        return {name: base + name for name in parts.settings.thumbnails.names}


class ImageSchema(ImageItemSchema):
    """A picture with everything that is known of it."""

    metadata = fields.Method(
        "_metadata", metadata={"allOf": [{"$ref": "#/components/schemas/Metadata"}], "nullable": True}
    )
    exif = fields.Function(lambda image: shown_exif(image), metadata=_EXIF)

    def _metadata(self, image: Image) -> dict[str, Any] | None:
        return image.facts and {**image.facts, "exif": shown_exif(image)}


class UploadedSchema(ImageSchema):
    """A picture that was just accepted."""

    message = fields.Constant(
        "Image uploaded successfully and processing started", metadata={"type": "string"}
    )


def shown_exif(image: Image) -> dict[str, Any] | None:
    """Return the EXIF as this installation shows it: without GPS unless told otherwise."""
    exif = image.exif
    if exif is None or parts.settings.expose_gps:
        return exif
    return {name: value for name, value in exif.items() if not name.startswith("GPS")}


class CommentSchema(ma.Schema):
    """What somebody said about a picture."""

    comment_id = fields.UUID(attribute="id")
    text = fields.String()
    created_at = Utc()
    edited_at = Utc()


class StatsSchema(ma.Schema):
    """The statistics, under both names in use."""

    total_images = fields.Integer()
    successful = fields.Integer()
    failed = fields.Integer()
    processing = fields.Integer()
    success_rate = fields.Float(metadata={"description": "percent of all, one decimal"})
    failure_rate = fields.Float(metadata={"description": "percent of all, one decimal"})
    average_processing_time_seconds = fields.Function(
        lambda totals: None if totals.average_ms is None else round(totals.average_ms / 1000, 3),
        metadata=_NUMBER,
    )
    total = fields.Integer()
    success = fields.Integer()
    avg_processing_time_ms = fields.Function(
        lambda totals: None if totals.average_ms is None else round(totals.average_ms, 1),
        metadata=_NUMBER,
    )


def paged(item: type[ma.Schema]) -> type[ma.Schema]:
    """Make the schema of a page of ``item``: ``data`` is a list, ``next`` and ``previous`` beside it."""

    class PageSchema(ma.Schema):
        paged = True
        data = fields.Nested(item, many=True, attribute="items")
        next = fields.String(allow_none=True)
        previous = fields.String(allow_none=True)

        @ma.pre_dump
        def _link(self, page: Page[object], **_: Any) -> dict[str, Any]:
            following, previous = links.beside(page)
            return {"items": page.items, "next": following, "previous": previous}

        @ma.post_dump
        def _mark(self, data: dict[str, Any], **_: Any) -> Paged:
            return Paged(data)

    PageSchema.__name__ = item.__name__.removesuffix("Schema") + "PageSchema"
    return PageSchema
