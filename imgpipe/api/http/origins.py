"""Refuse what a page of another site has a browser do: by the Host it asks for, and where it comes from.

Browsers say both in headers that no page can forge. curl, scripts and other servers send neither
``Sec-Fetch-Site`` nor ``Origin`` and are not concerned.
"""

import ipaddress
import re
import socket
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, request
from flask_cors import CORS

from imgpipe.api.http.requests import current
from imgpipe.errors import CrossSite, InvalidHost
from imgpipe.extensions import parts
from imgpipe.settings import Settings

PREFLIGHT_S = 600
EXPOSED = (
    *("Content-Disposition", "Content-Range", "ETag", "Idempotent-Replayed", "Location", "Retry-After"),
    *("X-Colormap", "X-Frame-Depth-Max", "X-Frame-Depth-Min", "X-Frame-Depth-Unit", "X-Frame-Rows"),
    *("X-Frame-Width", "X-Request-ID"),
)
_READING = ("GET", "HEAD", "OPTIONS")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]*)(?::([0-9]*))?")
_USUAL_PORTS = {"http": "80", "https": "443"}


def init_app(app: Flask) -> None:
    """Look at where every request comes from, before anything else of it is judged."""
    settings = app.extensions["imgpipe"].settings
    app.before_request(partial(_check_host, settings))
    app.before_request(_check_site)
    if allowed := settings.cors_origins:
        CORS(app, origins=list(allowed), expose_headers=EXPOSED, max_age=PREFLIGHT_S)


def listed(origin: str) -> bool:
    """Tell whether the configuration names this origin: in the list, or as BASE_URL's."""
    base = urlsplit(parts.settings.base_url)
    return origin in parts.settings.cors_origins or origin == f"{base.scheme}://{base.netloc}".lower()


def is_preflight() -> bool:
    """Tell whether a browser asks on behalf of a listed origin what it may send; no key comes with that."""
    asked = current()
    if asked.method != "OPTIONS" or "Access-Control-Request-Method" not in asked.headers:
        return False
    return asked.headers.get("Origin", "").lower() in parts.settings.cors_origins


def _check_host(settings: Settings) -> None:
    environ = current().environ
    sent = environ.get("HTTP_HOST", "").lower()
    name = _split(sent)[0].removesuffix(".")
    allowed = settings.allowed_hosts
    if allowed:
        if sent not in allowed and name not in allowed:
            raise InvalidHost
    elif sent and not _is_loopback(name) and _on_loopback(environ, settings) and name != _base_host(settings):
        raise InvalidHost


def _on_loopback(environ: Mapping[str, Any], settings: Settings) -> bool:
    """Tell whether only this machine's own programs reach us, with no proxy among them that we know of."""
    connection = environ.get("gunicorn.socket")
    if settings.proxy_hops or (connection is not None and connection.family == socket.AF_UNIX):
        return False
    return _is_loopback(environ.get("SERVER_NAME", ""))


@lru_cache(1_000)
def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _base_host(settings: Settings) -> str | None:
    return urlsplit(settings.base_url).hostname


def _check_site() -> None:
    if current().method in _READING:
        return
    origin = request.headers.get("Origin", "").lower()
    site = request.headers.get("Sec-Fetch-Site", "").lower()
    if origin and listed(origin):
        return
    if site == "cross-site" or (not site and origin and not _is_own(origin)):
        raise CrossSite


def _is_own(origin: str) -> bool:
    """Tell whether an origin is the very host asked for; a proxy that drops the port from it is forgiven."""
    host, port = _split(request.headers.get("Host", "").lower())
    scheme, _, place = origin.partition("://")
    name, sent_port = _split(place)
    own_port = sent_port or _USUAL_PORTS.get(scheme)
    return bool(host) and name == host and port in (None, "", own_port)


def _split(host: str) -> tuple[str, str | None]:
    """Split ``name:port``; what is malformed has no name."""
    found = _HOST.fullmatch(host)
    return (found[1], found[2]) if found else ("", None)
