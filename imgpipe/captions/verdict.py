"""Judge an answer that is not a caption: what it means, and whether calling again makes sense."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from imgpipe.captions.outcome import MESSAGE_LENGTH, CaptionError, Code
from imgpipe.captions.redaction import redact, redact_json
from imgpipe.clock import utc_now

RETRY_AFTER_S = 20.0
_LABEL_LENGTH = 100
_RETRYABLE = {408, 409, 429, 500, 502, 503, 504}
_PERMANENT = {401, 402, 404, 410}
_CODES: dict[int, Code] = {
    401: "auth_error",
    402: "quota_exhausted",
    403: "auth_error",
    404: "config_error",
    408: "timeout",
    410: "config_error",
    413: "bad_image",
    422: "bad_image",
    429: "rate_limited",
}
# https://platform.openai.com/docs/guides/error-codes
_NO_MONEY = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_FILTERED = {"content_policy_violation", "content_filter"}


@dataclass(frozen=True, slots=True)
class Fault:
    """Hold a provider's error body, whatever its shape: OpenAI's object, Hugging Face's string, or text."""

    message: str = ""
    type: str | None = None
    param: str | None = None
    code: str = ""
    estimated_s: float | None = None


def read_fault(body: Any) -> Fault:
    """Read the shapes that providers use for errors; what does not fit is left out."""
    fault = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(fault, list) and fault:
        fault = fault[0]
    if isinstance(fault, dict):
        message = fault.get("message") or fault.get("detail")
        estimated = None
    else:
        message = fault
        estimated = body.get("estimated_time") if isinstance(body, dict) else None
        fault = {}
    return Fault(
        message=message if isinstance(message, str) else "",
        type=_text(fault.get("type")),
        param=_text(fault.get("param")),
        code=_text(fault.get("code")) or "",
        estimated_s=_shorten(estimated) if isinstance(estimated, int | float) else None,
    )


def judge(status: int, headers: Mapping[str, str], body: Any, key: str) -> CaptionError:
    """Turn a refused call into the error that says what to do.

    ``body`` is parsed JSON, or text. A provider's wait of up to 20 s is honoured; a longer one means that
    the call failed now, as ``rate_limited``.
    """
    fault = read_fault(body)
    code = _code(status, fault)
    wait_s = _retry_after_s(headers, fault)
    retryable = status in _RETRYABLE and code != "quota_exhausted"
    if retryable and wait_s is not None and wait_s > RETRY_AFTER_S:
        code, retryable = "rate_limited", False
    return CaptionError(
        code,
        redact(fault.message, key, MESSAGE_LENGTH) or _sentence(status),
        type=_label(fault.type, key),
        param=_label(fault.param, key),
        retryable=retryable,
        retry_after_s=wait_s,
        permanent=status in _PERMANENT or code == "quota_exhausted",
        raw=redact_json(body, key),
    )


def _code(status: int, fault: Fault) -> Code:
    if {fault.code, fault.type} & _NO_MONEY:
        return "quota_exhausted"
    if {fault.code, fault.type} & _FILTERED:
        return "refused"
    if status == 400:
        return "bad_image" if "image" in f"{fault.code} {fault.message}".lower() else "config_error"
    if 300 <= status < 400:
        return "config_error"
    return _CODES.get(status, "upstream_error" if status >= 500 or status == 409 else "invalid_answer")


def _sentence(status: int) -> str:
    if 300 <= status < 400:
        return f"The provider redirected the call (HTTP {status}), and redirects are not followed."
    return f"The provider answered HTTP {status} without a reason."


def _retry_after_s(headers: Mapping[str, str], fault: Fault) -> float | None:
    value = str(headers.get("Retry-After", "")).strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    if value:
        return _seconds_until(value)
    return fault.estimated_s


def _seconds_until(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((moment - utc_now()).total_seconds(), 0.0)


def _label(value: str | None, key: str) -> str | None:
    return None if value is None else redact(value, key, _LABEL_LENGTH) or None


def _shorten(estimated_s: float) -> float:
    # A guess of the provider's, unlike its Retry-After, is no reason to give up.
    return float(min(max(estimated_s, 0), RETRY_AFTER_S))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
