"""Keep keys, pictures and tracebacks out of everything that a provider says."""

import json
import re
from collections.abc import Callable
from typing import Any

from imgpipe.text import clean_json, clean_text

RAW_BYTES = 16 * 1024
_RAW_TEXT_LENGTH = 4000
# Shorter pieces of a key are ordinary text too often, and give nothing away.
_FRAGMENT_LENGTH = 8
_HIDDEN = "[hidden]"
_DATA_URI = re.compile(r"data:[^\s,;]{0,100}(?:;[^\s,;]{0,100}){0,5};base64,[\w+/=\\%-]*", re.IGNORECASE)
# Providers mask keys (sk-ab***yz) and name other people's: whatever looks like one goes.
_KEY_SHAPE = re.compile(r"\*{3}|\bsk-\w|\bhf_\w")
_TRACEBACK = "Traceback (most recent call last)"


def hide_key(text: str, key: str) -> str:
    """Replace each word that holds the key, or eight characters of it in a row."""
    if not key:
        return text
    if len(key) < _FRAGMENT_LENGTH:
        return re.sub(rf"(?<!\w){re.escape(key)}(?!\w)", _HIDDEN, text)
    pieces = {key[at : at + _FRAGMENT_LENGTH] for at in range(len(key) - _FRAGMENT_LENGTH + 1)}
    return _hide_words(text, lambda word: any(piece in word for piece in pieces))


def redact(text: str, key: str, limit: int) -> str:
    """Cut at ``limit`` characters what remains without key, key-like words, data URIs and traceback."""
    text = _DATA_URI.sub("[data URI]", clean_text(text)).partition(_TRACEBACK)[0]
    text = _hide_words(text[: limit + len(key)], lambda word: _KEY_SHAPE.search(word) is not None)
    return hide_key(text, key)[:limit].strip()


def redact_json(value: Any, key: str) -> Any:
    """Copy a provider's JSON, storable, without the key, and at most 16 KiB when written as JSON."""
    copy = _redact_texts(clean_json(value), key)
    written = json.dumps(copy)
    return copy if len(written) <= RAW_BYTES else {"truncated": written[: RAW_BYTES // 2 - 100]}


def _redact_texts(value: Any, key: str) -> Any:
    if isinstance(value, str):
        return redact(value, key, _RAW_TEXT_LENGTH)
    if isinstance(value, dict):
        return {redact(name, key, _RAW_TEXT_LENGTH): _redact_texts(item, key) for name, item in value.items()}
    if isinstance(value, list):
        return [_redact_texts(item, key) for item in value]
    return value


def _hide_words(text: str, is_secret: Callable[[str], bool]) -> str:
    return re.sub(r"\S+", lambda word: _HIDDEN if is_secret(word[0]) else word[0], text)
