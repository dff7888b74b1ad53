"""Write the addresses that go into answers: absolute when BASE_URL is set."""

from urllib.parse import urlencode
from uuid import UUID

from flask import request

from imgpipe.extensions import parts
from imgpipe.paging import Page


def root() -> str:
    """Return what stands before every path: BASE_URL, or the path the app is mounted under."""
    return parts.settings.base_url or request.script_root


def image(image_id: UUID) -> str:
    """Return the address of a picture."""
    return f"{root()}/api/images/{image_id}"


def beside(page: Page[object]) -> tuple[str | None, str | None]:
    """Return the addresses of the next and the previous page of the present request."""
    return _with_cursor(page.next), _with_cursor(page.previous)


def _with_cursor(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    query = [(name, value) for name, value in request.args.items(multi=True) if name != "cursor"]
    return f"{root()}{request.path}?{urlencode([*query, ('cursor', cursor)])}"
