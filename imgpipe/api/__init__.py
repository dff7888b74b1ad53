"""Speak HTTP: blueprints that parse, call one use case, and shape the answer."""

from flask import Flask
from flask_smorest import Api

from imgpipe.api import (
    comments,
    compat,
    detail,
    docs,
    editing,
    exports,
    figures,
    frames,
    health,
    labels,
    listing,
    logs,
    metrics,
    similar,
    stats,
    thumbnails,
    upload,
)
from imgpipe.api.http import errors, keys, origins, requests
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
VERSION = "1"


class _Api(Api):  # type: ignore[misc]
    ERROR_SCHEMA = ErrorSchema


def init_app(app: Flask) -> None:
    """Register every blueprint, the one shape of errors, and what happens around each request."""
    app.config.update(
        API_TITLE="imgpipe",
        API_VERSION=VERSION,
        OPENAPI_VERSION="3.0.3",
    )
    app.url_map.converters["image"] = ImageConverter
    rest = _Api(app)
    names = {"type": "string", "enum": list(app.extensions["imgpipe"].settings.thumbnails.names)}
    app.url_map.converters["thumbnail"] = thumbnails.ThumbnailName
    rest.register_converter(thumbnails.ThumbnailName, lambda _: names)
    for blueprint in BLUEPRINTS:
        rest.register_blueprint(blueprint)
    app.register_blueprint(docs.blp)
    app.register_blueprint(metrics.blp)
    errors.init_app(app)
    requests.init_app(app)
    origins.init_app(app)
    keys.init_app(app)
