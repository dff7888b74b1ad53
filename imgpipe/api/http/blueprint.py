"""Give every blueprint the envelope, strict parsing and the error codes of the contract."""

from collections.abc import Callable
from functools import cache
from typing import Any, NoReturn, TypeVar

import flask_smorest
import marshmallow as ma
from flask import Request
from webargs.flaskparser import FlaskParser
from werkzeug.routing import BaseConverter

from imgpipe.api.http.scopes import ALL, Scope
from imgpipe.errors import InvalidParameter

View = TypeVar("View", bound=Callable[..., Any])


def refusal(faults: Any) -> InvalidParameter:
    """Name the first parameter that marshmallow found a fault in, and the fault."""
    name, found = next(iter(faults.items())) if isinstance(faults, dict) and faults else ("body", "?")
    while isinstance(found, dict | list) and found:  # the faults of a list stand by their place in it
        found = next(iter(found.values() if isinstance(found, dict) else found))
    return InvalidParameter(f"{name}: {found}", details={"parameter": name})


class ImageConverter(BaseConverter):
    """Match the id of a picture in a path: any segment but the names of routes beside it.

    So a wrong method for one of those is 405, which names the methods of that route alone, and whatever else
    is no id is a picture that is not there.
    """

    regex = r"(?!analyze-image(?:/|\Z))[^/]+"


class _Parser(FlaskParser):
    """Turn a validation failure into ``invalid_parameter`` that names the parameter."""

    DEFAULT_VALIDATION_STATUS = 400

    def load_querystring(self, req: Request, schema: ma.Schema) -> dict[str, Any]:
        """Hand over a plain dict: werkzeug's own takes long to say of each name that it was not sent."""
        sent = super().load_querystring(req, schema)
        return {name: sent[name] for name in sent}

    def handle_error(self, error: ma.ValidationError, *_args: Any, **_kwargs: Any) -> NoReturn:
        by_place = error.messages_dict
        faults = next(iter(by_place.values())) if by_place else {}
        raise refusal(faults) from error


class Paged(dict[str, Any]):
    """Mark a dumped page, whose ``next`` and ``previous`` stand beside ``data``."""


class PlainBlueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """Answer with the bare JSON; parse strictly."""

    ARGUMENTS_PARSER = _Parser()

    def arguments(self, schema: type[ma.Schema], **options: Any) -> Callable[[View], View]:
        """Read what a schema describes; one made anew for each request would copy every field."""
        read: Callable[[View], View] = super().arguments(schema(), **options)
        return read

    def route(self, rule: str, *, scope: Scope = ALL, **options: Any) -> Callable[[View], View]:
        """Register a view and declare which keys are good for it; without ``scope`` only those for all."""
        register = super().route(rule, **options)

        def declare(view: View) -> View:
            view.scope = scope  # type: ignore[attr-defined]
            register(view)
            return view

        return declare


class Blueprint(PlainBlueprint):
    """Answer in the envelope ``{"status", "data", "error"}``."""

    @classmethod
    def envelope(cls, data: Any) -> dict[str, Any]:
        """Put what was dumped already into the envelope, for a response of the view's own."""
        return cls._prepare_response_content(data)

    @staticmethod
    def _prepare_response_content(data: Any) -> dict[str, Any]:
        content = data if isinstance(data, Paged) else {"data": data}
        return {"status": "success", **content, "error": None}

    @staticmethod
    def _make_doc_response_schema(schema: Any) -> Any:
        return _envelope(type(schema), schema.many)() if isinstance(schema, ma.Schema) else schema


@cache
def _envelope(schema: type[ma.Schema], many: bool) -> type[ma.Schema]:
    """Wrap a schema as the answers are, for the documentation."""
    paged = hasattr(schema, "paged")
    content = schema._declared_fields if paged else {"data": ma.fields.Nested(schema, many=many)}
    envelope = {
        "status": ma.fields.String(metadata={"enum": ["success"]}),
        **content,
        "error": ma.fields.String(allow_none=True, metadata={"enum": [None]}),
    }
    return ma.Schema.from_dict(envelope, name=schema.__name__.removesuffix("Schema") + "EnvelopeSchema")
