"""Every route of the API, and their description, which is made when it is first asked for."""

from typing import Any

from flask import Flask
from flask_smorest import Api

from imgpipe.api import (
    comments,
    compat,
    detail,
    editing,
    exports,
    figures,
    frames,
    health,
    labels,
    listing,
    logs,
    similar,
    stats,
    thumbnails,
    upload,
)
from imgpipe.api.http.blueprint import ImageConverter
from imgpipe.api.schemas import ErrorSchema

BLUEPRINTS = (
    upload.blp,
    listing.blp,
    similar.blp,
    detail.blp,
    editing.blp,
    labels.blp,
    exports.blp,
    thumbnails.blp,
    comments.blp,
    stats.blp,
    logs.blp,
    frames.blp,
    figures.blp,
    health.blp,
    compat.blp,
)
CONVERTERS = {"image": ImageConverter, "thumbnail": thumbnails.ThumbnailName}
VERSION = "1"


class _Api(Api):  # type: ignore[misc]
    ERROR_SCHEMA = ErrorSchema


def register(app: Flask) -> None:
    """Register every blueprint; describing them takes longer than all else at a start, and waits."""
    app.url_map.converters.update(CONVERTERS)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)


def describe(app: Flask) -> dict[str, Any]:
    """Return the OpenAPI description of an app's routes, as far as their schemas say it."""
    described = Flask(app.import_name)
    described.config.update(API_TITLE="imgpipe", API_VERSION=VERSION, OPENAPI_VERSION="3.0.3")
    described.url_map.converters.update(CONVERTERS)
    rest = _Api(described)
    sizes = list(app.extensions["imgpipe"].settings.thumbnails.names)
    rest.register_converter(thumbnails.ThumbnailName, lambda _: {"type": "string", "enum": sizes})
    for blueprint in BLUEPRINTS:
        rest.register_blueprint(blueprint)
    spec: dict[str, Any] = rest.spec.to_dict()
    return spec
