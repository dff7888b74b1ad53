"""Write the addresses that go into answers: absolute when BASE_URL is set."""

from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from flask import g, has_request_context, request

from imgpipe.database.paging import Page
from imgpipe.extensions import parts


def root() -> str:
    """Return what stands before every path: BASE_URL, or the path the app is mounted under."""
    root: str | None = g.get("root")  # found once: a page of a list asks for it a hundred times
    if root is None:
        root = g.root = parts.settings.base_url or (request.script_root if has_request_context() else "")
    return root


def image(image_id: UUID) -> str:
    """Return the address of a picture."""
    return f"{root()}/api/images/{image_id}"


def log(name: str) -> str:
    """Return the address of a depth log."""
    return f"{root()}/api/frames/logs/{quote(name, safe='')}"


def beside(page: Page[Any], path: str | None = None) -> tuple[str | None, str | None]:
    """Return the addresses of the next and the previous page.

    They are pages of the present request, with its query, or of another ``path`` without one.
    """
    if path is None:
        path = root() + request.path
        query = [(name, value) for name, value in request.args.items(multi=True) if name != "cursor"]
    else:
        query = []
    cursors = (page.next, page.previous)
    following, previous = (
        f"{path}?{urlencode([*query, ('cursor', cursor)])}" if cursor else None for cursor in cursors
    )
    return following, previous
