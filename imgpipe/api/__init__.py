"""Speak HTTP: blueprints that parse, call one use case, and shape the answer."""

from flask import Flask

from imgpipe.api import docs, metrics, routes
from imgpipe.api.http import errors, keys, origins, requests


def init_app(app: Flask) -> None:
    """Register every blueprint, the one shape of errors, and what happens around each request."""
    routes.register(app)
    app.register_blueprint(docs.blp)
    app.register_blueprint(metrics.blp)
    errors.init_app(app)
    requests.init_app(app)
    origins.init_app(app)
    keys.init_app(app)
