"""Complete the OpenAPI description, so that clients can be generated from it and people can read it.

flask-smorest writes down what the schemas say; what it cannot know is added here: names of operations, keys,
every error, the ids in paths, binary answers, and an example of everything.
"""

import copy
from collections.abc import Iterator
from typing import Any

from flask import Flask

from imgpipe import errors
from imgpipe.api import examples
from imgpipe.api.http.scopes import ALL, PUBLIC, spell
from imgpipe.errors import ConfigError, ImgpipeError, envelope

Spec = dict[str, Any]
OLDER = "compat"
BINARY = {"type": "string", "format": "binary"}
UUID = {"type": "string", "format": "uuid", "example": examples.ID}
PARAMETERS: dict[str, Spec] = {
    "id": {"schema": UUID, "description": "of a picture"},
    "comment_id": {"schema": UUID, "description": "of a comment"},
    "log": {
        "schema": {"type": "string", "minLength": 1, "maxLength": 100, "example": "well-1"},
        "description": "name of a depth log",
    },
    "name": {"schema": {"type": "string", "example": "medium"}, "description": "a size, or `square`"},
    "hex": {
        "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$", "example": examples.SHA256},
        "description": "SHA-256 of a file",
    },
    "file_name": {"schema": {"type": "string", "example": f"thumbnail_{examples.ID}.jpg"}},
}
_PICTURE = ("image/jpeg", "image/png", "application/octet-stream")
# What an answer may be beside, or instead of, the JSON that its schema describes.
ANSWERS: dict[str, tuple[str, ...]] = {
    "thumbnails_thumbnail": _PICTURE,
    "older_thumbnail": _PICTURE,
    "detail_original": ("image/jpeg", "image/png", "application/octet-stream"),
    "frames_show_frames": ("image/png", "image/webp", "image/jpeg", "application/octet-stream", "text/csv"),
    "exports_export": (
        "application/zip",
        "application/x-tar",
        "application/x-ndjson",
        "application/octet-stream",
    ),
}
# Media types of plain bodies that generators do not know; a sentence tells of them.
_UNTOLD = ("image/jpeg", "image/png", "text/csv")
# Routes that ask for something by its name though no path holds it.
_MAY_MISS = ("frames_show_frames", "figures_show_figure", "older_list_frames")
_EVERYWHERE = (400, 500, 503)
_WITH_KEYS = (401, 403)
_WITH_BODY = (408, 409, 412, 413)
_BINARY_ONLY = (412, 416)


def complete(spec: Spec, app: Flask) -> Spec:
    """Return the description with everything added; ``spec`` itself is changed."""
    components = spec.setdefault("components", {})
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    components["responses"] = {f"Error{status}": _error(leaves) for status, leaves in _by_status().items()}
    codes = sorted(leaf.code for leaves in _by_status().values() for leaf in leaves)
    components["schemas"]["Error"]["properties"]["code"] = {"type": "string", "enum": codes}
    components["schemas"]["Error"]["properties"]["message"] = {
        "type": "string",
        "description": "the sentence again, for clients of analyze-image alone",
    }
    components["schemas"].pop("PaginationMetadata", None)
    views = _views(app)
    for path, methods in spec["paths"].items():
        _name_parameters(path, methods)
        for method, operation in methods.items():
            if method != "parameters":
                _complete(operation, path, method, *views[path, method.upper()])
                examples.add(operation, components)
    return spec


def opened(spec: Spec) -> Spec:
    """Return a description in which a key may come along and need not: nobody asks for one yet."""
    open_spec = copy.deepcopy(spec)
    for methods in open_spec["paths"].values():
        for method, operation in methods.items():
            if method != "parameters" and operation["security"]:
                operation["security"] = [{}, *operation["security"]]
    return open_spec


def operations(spec: Spec) -> Iterator[Spec]:
    """Yield each operation with its ``path``, ``method`` and all its ``parameters``."""
    for path, methods in spec["paths"].items():
        shared = methods.get("parameters", [])
        for method, operation in methods.items():
            if method != "parameters":
                parameters = shared + operation.get("parameters", [])
                yield {**operation, "path": path, "method": method.upper(), "parameters": parameters}


def fields_of(schema: Spec, spec: Spec, prefix: str = "", depth: int = 3) -> Iterator[Spec]:
    """Yield the fields of an object, those inside of it behind it: name, type, required, description."""
    schema = examples.resolved(schema, spec["components"])
    if schema.get("type") == "array":
        yield from fields_of(schema.get("items", {}), spec, f"{prefix[:-1]}[]." if prefix else "", depth)
    for name, inner in schema.get("properties", {}).items():
        inner = examples.resolved(inner, spec["components"])
        required = name in (schema.get("required") or ())
        yield {"name": prefix + name, "type": _type(inner), "required": required, **_describe(inner)}
        if depth:
            yield from fields_of(inner, spec, f"{prefix}{name}.", depth - 1)


def _describe(schema: Spec) -> Spec:
    told = schema.get("description", "")
    if values := [value for value in schema.get("enum") or () if value is not None]:
        told = f"{told} One of {', '.join(map(str, values))}.".strip()
    return {"description": told}


def _type(schema: Spec) -> str:
    return str(schema.get("format") or schema.get("type") or "any")


def _views(app: Flask) -> dict[tuple[str, str], tuple[str, Any]]:
    """Return for each documented path and method the operation's name, and the scope it declares."""
    found: dict[tuple[str, str], tuple[str, Any]] = {}
    for rule in app.url_map.iter_rules():
        path = "".join(text if is_text else f"{{{text}}}" for is_text, text in _pieces(rule.rule))
        blueprint, _, view = rule.endpoint.rpartition(".")
        name = f"{'older' if blueprint == OLDER else blueprint}_{view}".replace(" ", "_")
        scope = getattr(app.view_functions[rule.endpoint], "scope", ALL)
        found |= {(path, method): (name, scope) for method in rule.methods or ()}
    return found


def _pieces(rule: str) -> Iterator[tuple[bool, str]]:
    for number, piece in enumerate(rule.replace(">", "<").split("<")):
        yield number % 2 == 0, piece if number % 2 == 0 else piece.rpartition(":")[2]


def _name_parameters(path: str, methods: Spec) -> None:
    names = [text for is_text, text in _pieces(path.replace("{", "<").replace("}", ">")) if not is_text]
    if names:
        plain: Spec = {"schema": {"type": "string"}}
        known = {each["name"]: each["schema"] for each in methods.get("parameters", ())}
        methods["parameters"] = [
            {"name": name, "in": "path", "required": True, **PARAMETERS.get(name, plain)} for name in names
        ]
        for parameter in methods["parameters"]:
            if "enum" in known.get(parameter["name"], {}):  # the names that this installation has
                parameter["schema"] = known[parameter["name"]] | {"example": "medium"}


def _complete(operation: Spec, path: str, method: str, name: str, scope: Any) -> None:
    operation["operationId"] = name
    operation["security"] = [] if scope == PUBLIC else [{"bearer": []}, {"key": []}]
    if scope != PUBLIC:
        told = operation.get("description", "")
        operation["description"] = f"{told}\n\nA key needs the scope `{spell(scope)}`.".strip()
    _simplify(operation)
    answers: Spec = operation["responses"]
    for binary in ANSWERS.get(name, ()):
        content = answers["200"].setdefault("content", {})
        content.pop("image/*", None)
        content[binary] = {"schema": dict(BINARY)}
    _name_bytes_for_generators(answers.get("200", {}).get("content", {}))
    statuses = {*_EVERYWHERE, *(_WITH_KEYS if scope != PUBLIC else ()), *((404,) if "{" in path else ())}
    statuses |= {404} if name in _MAY_MISS else set()
    statuses |= {403, *_WITH_BODY} if method in ("post", "put", "patch") else set()
    statuses |= {*_BINARY_ONLY} if name in ANSWERS else set()
    for status in sorted(statuses):
        if "content" not in answers.get(str(status), {}):
            answers[str(status)] = {"$ref": f"#/components/responses/Error{status}"}
    answers.pop("default", None)


def _name_bytes_for_generators(content: Spec) -> None:
    """Name bytes by the one media type that every generator knows, beside their own."""
    if content and not {"application/json", "application/octet-stream"} & content.keys():
        content["application/octet-stream"] = {"schema": dict(BINARY)}


def _simplify(operation: Spec) -> None:
    body = operation.get("requestBody", {})
    untold = [kind for kind in _UNTOLD if body.get("content", {}).pop(kind, None)]
    if untold:
        body["description"] = f"The file may also be the whole body, as {' or '.join(untold)}."


def _by_status() -> dict[int, list[type[ImgpipeError]]]:
    """Return the errors that an answer can hold; what a command alone says is defined elsewhere."""
    known: list[type[ImgpipeError]] = [ImgpipeError, *ImgpipeError.__subclasses__()]
    leaves = [leaf for leaf in known if leaf.__module__ == errors.__name__ and leaf is not ConfigError]
    return {
        status: sorted((leaf for leaf in leaves if leaf.status == status), key=lambda leaf: leaf.code)
        for status in sorted({leaf.status for leaf in leaves})
    }


def _error(leaves: list[type[ImgpipeError]]) -> Spec:
    told = "; ".join(f"`{leaf.code}`: {leaf.sentence}" for leaf in leaves)
    shown = ImgpipeError()
    shown.message = leaves[0].sentence
    example = envelope(shown, "4f0c3a52d1b94e0f8f1f6f0f2f6d7c11") | {"code": leaves[0].code}
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": told, "content": {"application/json": {"schema": schema, "example": example}}}
