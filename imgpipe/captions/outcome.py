"""Say how an attempt to caption ended: a ``Caption``, or a ``CaptionError`` that tells what to do next."""

from dataclasses import dataclass
from typing import Any, Literal

TEXT_LENGTH = 1000
MESSAGE_LENGTH = 500

Code = Literal[
    "auth_error",
    "quota_exhausted",
    "rate_limited",
    "config_error",
    "bad_image",
    "refused",
    "empty",
    "invalid_answer",
    "upstream_error",
    "timeout",
    "network_error",
    "paused",
]


@dataclass(frozen=True, slots=True)
class Caption:
    """Hold a description that a model really gave.

    ``text`` is not blank, at most 1,000 characters, and storable. ``raw`` is the provider's own JSON,
    sanitised, without the key, at most 16 KiB.
    """

    text: str
    provider: str
    model: str
    raw: Any = None


class CaptionError(Exception):
    """Tell why there is no caption.

    ``message`` is fit for a stranger: one short text, at most 500 characters, without key, data URI or
    traceback. ``retryable``: another call may succeed, ``retry_after_s`` being the provider's own wish.
    ``permanent``: every further call fails too (bad key, no money, model gone) until someone mends it.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        type: str | None = None,
        param: str | None = None,
        retryable: bool = False,
        retry_after_s: float | None = None,
        permanent: bool = False,
        raw: Any = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code: Code = code
        self.message = message
        self.type = type
        self.param = param
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.permanent = permanent
        self.raw = raw
