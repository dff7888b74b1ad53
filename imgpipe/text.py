"""Make any text or JSON-like value from outside safe for both databases and for strict JSON.

PostgreSQL takes neither NUL nor lone surrogates, JSON neither NaN nor infinity; SQLite takes them
all, so nothing but this module stands between a strange picture and a production failure.
"""

import math
import re
from typing import Any

# C0 and C1 controls other than tab, line feed and carriage return, and every lone surrogate.
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# All controls, and the marks that reorder what a reader sees (Unicode UAX #9, "Bidi_Control").
_UNDISPLAYABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
NAME_LENGTH = 255


def visible(line: str) -> str:
    """Escape what could break a line, steer a terminal, or reorder what its reader sees."""
    return _UNDISPLAYABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), line)


def clean_text(value: str, limit: int | None = None) -> str:
    """Drop what a database or JSON cannot hold, and cut at ``limit`` characters."""
    return _UNSTORABLE.sub("", value)[:limit]


def clean_json(value: Any, depth: int = 20) -> Any:
    """Copy a JSON-like value with every text cleaned, and null for what strict JSON cannot say.

    NaN, infinity, bytes, foreign types and anything nested deeper than ``depth`` become None.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth and isinstance(value, dict):
        return {clean_text(str(key)): clean_json(item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, list | tuple):
        return [clean_json(item, depth - 1) for item in value]
    return None


def display_name(raw: str | None, fallback: str) -> str:
    """Reduce a client's file name to its last path part, fit to be shown and at most 255 characters.

    It is data, never part of a stored path. ``fallback`` stands in when nothing is left.
    """
    last = re.split(r"[/\\]", raw or "")[-1]
    name = _UNDISPLAYABLE.sub("", last).strip()[:NAME_LENGTH].strip()
    return name if name.strip(".") else fallback
