"""Let in only who has one of this installation's keys, when it has any."""

import hashlib
import hmac

from flask import Flask, request

from imgpipe.api.http import origins
from imgpipe.errors import Unauthorized
from imgpipe.extensions import parts

_OPEN = ("/api/health/", "/static/")


def identity() -> str:
    """Return what tells the sender of this request from others: a hash of its key, or nothing."""
    sent = _sent()
    return hashlib.sha256(sent.encode()).hexdigest() if sent else ""


def init_app(app: Flask) -> None:
    """Ask for the key before every request but those for health and for the page's own files."""
    app.before_request(_check)


def _check() -> None:
    keys = parts.settings.api_keys
    if origins.is_preflight() or not keys or request.path == "/" or request.path.startswith(_OPEN):
        return
    sent = _sent().encode()
    matches = [hmac.compare_digest(sent, key.encode()) for key in keys]  # all of them: no early answer
    if not any(matches):
        raise Unauthorized


def _sent() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "")
