"""Serve the web page and the API's documentation, both without the internet."""

import re
from collections.abc import Collection
from functools import partial
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, render_template, request
from markupsafe import Markup, escape

from imgpipe.api import openapi, routes
from imgpipe.api.http import keys
from imgpipe.extensions import parts
from imgpipe.imaging import formats
from imgpipe.imaging.formats import FORMATS
from imgpipe.settings import STATIC

blp = Blueprint("docs", __name__)
CSP = (
    "default-src 'self'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)


@blp.get("/")
def page() -> Response:
    """Serve the web page, its file picker set to the formats that are taken in."""
    text = (STATIC / "index.html").read_text(encoding="utf-8")
    accepted = parts.settings.accept
    for standard, ours in zip(_picked(formats.DEFAULT), _picked(accepted), strict=True):
        text = text.replace(standard, ours)
    response = current_app.make_response(text)
    response.cache_control.no_cache = True
    response.add_etag()
    response.make_conditional(request.environ)
    return _guarded(response)


def _picked(accepted: Collection[str]) -> tuple[str, str]:
    """Return what the page says of the formats: to the browser's file dialog, and to a person."""
    types = [FORMATS[name].picker for name in accepted]
    return f'accept="{",".join(types)}"', formats.choice(accepted)


@blp.get("/api/docs")
def show() -> Response:
    """Render the OpenAPI description as one plain page."""
    spec = _description()
    shown = render_template(
        "docs.html", spec=spec, operations=list(openapi.operations(spec)), fields_of=partial(_fields, spec)
    )
    return _guarded(current_app.make_response(shown))


@blp.get("/api/openapi.json")
def openapi_json() -> Response:
    """Describe the API for programs: OpenAPI 3."""
    return jsonify(_description())


def _description() -> dict[str, Any]:
    """Return the OpenAPI description, made once for an app, with keys where they are asked for."""
    extensions = current_app.extensions
    if "imgpipe.openapi" not in extensions:
        shut = openapi.complete(routes.describe(current_app), current_app)
        extensions["imgpipe.openapi"] = {True: shut, False: openapi.opened(shut)}
    description: dict[str, Any] = extensions["imgpipe.openapi"][keys.asked_for()]
    return description


def _fields(spec: dict[str, Any], media: dict[str, Any]) -> list[dict[str, Any]]:
    return list(openapi.fields_of(media.get("schema", {}), spec))


@blp.app_template_filter("code")
def _code(text: str) -> Markup:
    """Set what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def _guarded(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = CSP
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
