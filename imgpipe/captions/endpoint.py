"""Speak to one provider: one call, strict JSON back, and every way to fail told as ``CaptionError``."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import urlsplit

from imgpipe.captions.outcome import MESSAGE_LENGTH, TEXT_LENGTH, Caption, CaptionError, Code
from imgpipe.captions.redaction import hide_key, redact, redact_json
from imgpipe.captions.verdict import judge
from imgpipe.outbound import Answer, Request
from imgpipe.text import clean_text


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Hold where to call and with which key; ``timeout_s`` bounds each call in all.

    ``provider`` and ``model`` are named in every caption and error.
    """

    url: str
    key: str = field(repr=False)
    timeout_s: float
    provider: str
    model: str

    def caption(self, body: bytes, content_type: str, read: Callable[[Any], str]) -> Caption:
        """Send the body, and make a caption of what ``read`` finds in the JSON of an answer 200.

        Raises: CaptionError.
        """
        raw = self._post(body, content_type)
        return Caption(self._tidy(read(raw), raw), self.provider, self.model, redact_json(raw, self.key))

    def _post(self, body: bytes, content_type: str) -> Any:
        headers = {**self._headers(), "Content-Type": content_type}
        answer = self._exchange(Request("POST", self.url, headers, body))
        if answer.status != 200:
            raise self._judge(answer)
        return self._parse(answer)

    def _tidy(self, text: str, raw: Any) -> str:
        """Tidy a model's sentence to at most 1,000 storable characters."""
        tidy = hide_key(clean_text(text).strip()[: TEXT_LENGTH + len(self.key)], self.key)
        if not tidy:
            raise self.unfit("empty", "The model gave an empty caption.", raw)
        return tidy[:TEXT_LENGTH].strip()

    def unfit(self, code: Code, message: str, raw: Any) -> CaptionError:
        """Tell that an answer 200 is no caption; it is not worth another try, which would cost again."""
        return CaptionError(code, self._sentence(message), raw=redact_json(raw, self.key))

    def _sentence(self, message: str) -> str:
        """Say who answered, from where, and what; fit for a stranger."""
        host = urlsplit(self.url).hostname or "no host"
        return redact(f"{self.provider} {self.model} at {host}: {message}", self.key, MESSAGE_LENGTH)

    def _judge(self, answer: Answer) -> CaptionError:
        error = judge(answer.status, answer.headers, _parse_leniently(answer.body), self.key)
        error.message = self._sentence(f"HTTP {answer.status}: {error.message}")
        return error

    def _parse(self, answer: Answer) -> Any:
        if not answer.whole:
            raise CaptionError("invalid_answer", self._sentence("The answer is longer than 1 MiB."))
        try:
            return json.loads(answer.body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise CaptionError("invalid_answer", self._sentence("The answer is not valid JSON.")) from error

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "imgpipe", "Connection": "close"}
        return {**headers, "Authorization": f"Bearer {self.key}"} if self.key else headers

    def _exchange(self, request: Request) -> Answer:
        from imgpipe.transport import exchange

        try:
            return exchange(request, self.timeout_s)
        except TimeoutError as error:
            message = self._sentence(f"There was no answer within {self.timeout_s:g} s.")
            raise CaptionError("timeout", message, retryable=True) from error
        except (OSError, ValueError) as error:  # a host name too long is a ValueError
            reason = getattr(error, "strerror", None) or type(error).__name__
            message = self._sentence(f"It could not be reached: {reason}.")
            raise CaptionError("network_error", message, retryable=True) from error


def _parse_leniently(body: bytes) -> Any:
    """Read an error body: JSON, else plain text; a page of HTML says nothing worth keeping."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        text = body[:4096].decode("utf-8", "replace").strip()
        return None if text.startswith("<") else text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
