"""Say at the start, in plain lines, what is served, where, and out of which parts."""

from collections.abc import Iterator

from sqlalchemy.engine import make_url

from imgpipe.settings import Settings


def describe(settings: Settings) -> Iterator[str]:
    """Yield a line for each thing that an operator would look up first; secrets are left out."""
    yield f"database:  {make_url(settings.database_url).render_as_string(hide_password=True)}"
    yield f"storage:   {settings.storage}; originals: {settings.originals}"
    yield f"work:      {settings.jobs}" + (
        f", {settings.workers} for pixels and {settings.caption_workers} for captions in each process"
        if settings.jobs == "threads"
        else ""
    )
    yield "captioner: " + ", ".join(filter(None, (settings.captioner, settings.caption_model)))
    yield f"limits:    {settings.max_upload_bytes:,} bytes, {settings.max_pixels:,} pixels a picture"
    yield "API keys:  " + ("asked for" if settings.api_keys else "off, open to whoever reaches this address")


def link(host: str, port: int) -> str:
    """Return an address to click; a server that listens everywhere is reached on this very machine."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, host)
    return f"http://{f'[{shown}]' if ':' in shown and '[' not in shown else shown}:{port}"
