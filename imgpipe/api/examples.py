"""Make an example of everything that goes in and comes out, by the names of the fields."""

from typing import Any

Schema = dict[str, Any]
ID = "019f0c2e-7d3a-7b41-9c58-3e1f6a2b4c5d"
SHA256 = "9f" * 32
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGOoBwAAgQCAfOm2nwAAAABJRU5ErkJggg=="
_IMAGE = f"/api/images/{ID}"
_FIELDS: Schema = {
    "original_name": "harbour.jpg",
    "status": "success",
    "processed_at": "2026-11-21T09:30:00.051Z",
    "processing_time_ms": 42,
    "sha256": SHA256,
    "error": None,
    "error_code": None,
    "exif": {"Model": "X100V", "FNumber": 5.6, "ISOSpeedRatings": 160},
    "thumbnails": {name: f"{_IMAGE}/thumbnails/{name}" for name in ("small", "medium", "square")},
    "caption": "Fishing boats in a small harbour.",
    "caption_status": "done",
    "caption_error": None,
    "provider": "openai",
    "model": "gpt-4o-mini",
    "prompt": "Describe the boats.",
    "labels": ["harbour", "boats"],
    "label": "harbour",
    "color": "#5a7d9c",
    "original_url": f"{_IMAGE}/original",
    "comments_url": f"{_IMAGE}/comments",
    "thumbnail": f"/api/thumbnails/thumbnail_{ID}.jpg",
    "text": "Taken from the pier.",
    "img": f"{_IMAGE}/original",
    "desc": "Fishing boats in a small harbour.",
    **{"total_images": 1000, "successful": 985, "failed": 10, "processing": 5, "total": 1000, "success": 985},
    **{"success_rate": 98.5, "average_processing_time_seconds": 0.042, "avg_processing_time_ms": 42.0},
    **{"log": "well-1", "rows": 5460, "skipped": 1, "duplicates": 0, "replaced": 0, "clipped": 0},
    **{"depth": 9000.1, "depth_min": 9000.1, "depth_max": 9546.0, "depth_step": 0.1, "depth_unit": "ft"},
    **{"width": 150, "source_width": 200, "source_widths": [200], "null": [-999.25], "holes": 0},
    **{"value_min": 0.0, "value_max": 255.0, "value_unit": "ohm.m", "colormap": "gray"},
    **{"name": "gray", "description": "black to white, the identity"},
    "preview": f"data:image/png;base64,{PNG}",
}
# What is still to come when an answer says 202.
_UNDER_WAY: Schema = dict.fromkeys(
    ("processed_at", "processing_time_ms", "metadata", "exif", "caption", "caption_source", "color")
) | {"status": "processing", "caption_status": "pending", "desc": ""}
_FORMATS: Schema = {
    "uuid": ID,
    "date-time": "2026-11-21T09:30:00.000Z",
    "byte": PNG,
}
_PLAIN: Schema = {"object": {}, "integer": 1, "number": 1.0, "boolean": False}
_BYTES = {
    "text/csv": "depth,p1,p2,p3\n9000.1,13,118,237\n",
    "application/x-ndjson": f'{{"image_id": "{ID}", "text": "Fishing boats in a small harbour."}}\n',
}


def add(operation: Schema, components: Schema) -> None:
    """Give the body of an operation and each of its answers an example, where they have none."""
    for status, said in {"": operation.get("requestBody", {}), **operation["responses"]}.items():
        fields = _FIELDS | _UNDER_WAY if status == "202" else _FIELDS
        for kind, media in said.get("content", {}).items():
            schema = media["schema"]
            if kind == "multipart/form-data":
                only = {name: schema["properties"][name] for name in schema["required"]}
                schema = {"properties": only}
            media.setdefault("example", _BYTES.get(kind) or _sample(schema, components, fields))


def resolved(schema: Schema, components: Schema) -> Schema:
    """Follow a reference, also one that may be null instead."""
    for option in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        if "$ref" in option:
            return resolved(option, components)
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Schema = components["schemas"][name] if name else schema
    return found


def _sample(schema: Schema, components: Schema, fields: Schema, name: str = "") -> Any:
    schema = resolved(schema, components)
    if "example" in schema:
        return schema["example"]
    if schema.get("format") == "binary":
        return "(bytes)"
    if name in fields and fields[name] in schema.get("enum", [fields[name]]):
        return fields[name]
    if schema.get("default") is not None:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    if "properties" in schema:
        inner = schema["properties"].items()
        return {name: _sample(each, components, fields, name) for name, each in inner}
    if schema.get("type") == "array":
        return [_sample(schema["items"], components, fields)]
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    return None if schema.get("nullable") else _PLAIN.get(schema.get("type", ""))
