"""Let in only who has a key that allows it, once this installation has any.

What a process knows of a key it trusts for half a second, so that revoking works in every process at
once, and a thousand requests a second cost two look-ups.
"""

import hashlib
import hmac
import threading
import time
from typing import cast

from flask import Flask, g, request
from werkzeug.exceptions import MethodNotAllowed

from imgpipe import keys
from imgpipe.api.http import origins
from imgpipe.api.http.requests import current
from imgpipe.api.http.scopes import ALL, PUBLIC, READ, READ_OR_UPLOAD, Scope, spell
from imgpipe.errors import Forbidden, Unauthorized
from imgpipe.extensions import parts, present_app
from imgpipe.keys import Grant

FRESH_S = 0.5
KNOWN = 1_000
CONFIGURED = Grant("IMGPIPE_API_KEYS", "all")
_DOCS = ("docs.show", "docs.openapi_json")
_METRICS = "metrics.show"
_PAGE = ("static", "docs.page")


class _Known:
    """Remember for a moment what the database said of a key, and for ever that there was one."""

    def __init__(self, any_configured: bool = False) -> None:
        self._lock = threading.Lock()
        self._grants: dict[str, tuple[float, Grant | None]] = {}
        self._any = any_configured
        self._asked_at = -FRESH_S

    def grant(self, key: str) -> Grant | None:
        """Return what a key grants now."""
        now = time.monotonic()
        with self._lock:
            asked_at, grant = self._grants.get(key, (-FRESH_S, None))
        if now - asked_at >= FRESH_S:
            grant = keys.find(key)
            with self._lock:
                if len(self._grants) >= KNOWN:  # somebody is trying keys
                    self._grants.clear()
                self._grants[key] = now, grant
        return None if grant is None or grant.expired else grant

    def any(self) -> bool:
        """Tell whether a key is configured, or was ever made."""
        now = time.monotonic()
        if not self._any and now - self._asked_at >= FRESH_S:
            self._any = keys.any_created()
            self._asked_at = now
        return self._any


def identity() -> str:
    """Return what tells the sender of this request from others: a hash of its key, or nothing."""
    sent = _sent()
    return hashlib.sha256(sent.encode()).hexdigest() if sent else ""


def init_app(app: Flask) -> None:
    """Ask for the key before every request but those for health and for the page's own files."""
    app.extensions["imgpipe.keys"] = _Known(bool(app.extensions["imgpipe"].settings.api_keys))
    app.before_request(_check)


def asked_for() -> bool:
    """Tell whether this installation asks for keys: one is configured, or was ever made."""
    return _known().any()


def _known() -> _Known:
    known: _Known = present_app().extensions["imgpipe.keys"]
    return known


def scope_of(endpoint: str) -> Scope:
    """Return what a route declares: of the keys with one of these scopes, or of ``all``, any will do."""
    if endpoint in _PAGE:
        return PUBLIC
    if endpoint == _METRICS:
        return PUBLIC if parts.settings.public_metrics else READ
    if endpoint in _DOCS:
        return PUBLIC if parts.settings.public_docs else READ
    scope: Scope = getattr(present_app().view_functions[endpoint], "scope", ALL)
    return scope


def _needed() -> Scope:
    """Return what the present request needs; one that meets no route is judged by its method."""
    asked = current()
    if asked.method == "OPTIONS":
        return READ_OR_UPLOAD if asked.endpoint is None else scope_of(asked.endpoint) and READ_OR_UPLOAD
    if asked.endpoint is not None:
        return scope_of(asked.endpoint)
    if isinstance(asked.routing_exception, MethodNotAllowed) and not scope_of(_neighbour()):
        return PUBLIC
    return READ if asked.method in ("GET", "HEAD") else ALL


def _neighbour() -> str:
    """Return what answers at this address, to another method."""
    fault = cast(MethodNotAllowed, request.routing_exception)
    adapter = present_app().create_url_adapter(request)
    assert adapter
    assert fault.valid_methods
    return str(adapter.match(method=next(iter(fault.valid_methods)))[0])


def _check() -> None:
    needed = _needed()
    if not needed or origins.is_preflight() or not asked_for():
        return
    grant = _granted(_sent())
    if grant is None:
        raise Unauthorized
    g.key_name = grant.name
    if grant.scope != "all" and grant.scope not in needed:
        raise Forbidden(
            f"The API key is good for {grant.scope!r}; this needs {spell(needed)!r}.",
            details={"scope": spell(needed)},
        )


def _granted(sent: str) -> Grant | None:
    raw = sent.encode(errors="surrogateescape")
    matches = [hmac.compare_digest(raw, key.encode()) for key in parts.settings.api_keys]
    if any(matches):  # all were compared: no early answer
        return CONFIGURED
    return _known().grant(sent) if sent else None


def _sent() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "")
