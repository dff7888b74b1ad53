"""Write the addresses that go into answers: absolute when BASE_URL is set."""

from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from flask import has_request_context, request

from imgpipe.api.http.requests import current
from imgpipe.database.paging import Page
from imgpipe.extensions import parts


def root() -> str:
    """Return what stands before every path: BASE_URL, or the path the app is mounted under."""
    return current().root if has_request_context() else parts.settings.base_url


def image(image_id: UUID) -> str:
    """Return the address of a picture."""
    return _image(root(), image_id)


@lru_cache(1_000)  # an answer names it three times for each picture
def _image(root: str, image_id: UUID) -> str:
    return f"{root}/api/images/{image_id}"


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
