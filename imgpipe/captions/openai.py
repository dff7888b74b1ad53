"""Ask any server that speaks OpenAI's chat completions: OpenAI, Hugging Face's router, Ollama, vLLM."""

import json
from base64 import b64encode
from typing import Any
from urllib.parse import urlsplit

from imgpipe.captions.endpoint import Endpoint
from imgpipe.captions.outcome import Caption
from imgpipe.captions.protocol import Provider, fingerprint
from imgpipe.captions.verdict import read_fault

BASE = "https://api.openai.com/v1"
# What OpenAI's page of deprecations (April 2026) names in place of older small models that see.
MODEL = "gpt-5.4-mini"
PROMPT = "Describe this picture in one short sentence. Answer with the sentence alone."
# A sentence takes thirty tokens; a model that thinks first spends its thoughts from the same purse.
_TOKENS = 1000


class OpenAI:
    """Caption by ``POST {base}/chat/completions``, the picture as a data URI."""

    def __init__(
        self,
        key: str,
        url: str = "",
        model: str = "",
        prompt: str = "",
        timeout_s: float = 15.0,
        *,
        provider: str = "openai",
    ) -> None:
        self.provider = provider
        self.model = model or MODEL
        self._prompt = prompt or PROMPT
        self._base = url or BASE
        self.fingerprint = fingerprint(provider, self.model, self._base, self._prompt)
        url = _join(self._base, "chat/completions")
        self._completions = Endpoint(url, key, timeout_s, provider, self.model)

    def caption(self, jpeg: bytes) -> Caption:
        """Describe the picture in one call.

        Raises: CaptionError.
        """
        question = json.dumps(self._question(jpeg)).encode()
        return self._completions.caption(question, "application/json", self._content)

    def steer(self, *, prompt: str, model: str) -> "OpenAI":
        """Return a captioner of the same server with another prompt or model."""
        return OpenAI(
            self._completions.key,
            url=self._base,
            model=model or self.model,
            prompt=prompt or self._prompt,
            timeout_s=self._completions.timeout_s,
            provider=self.provider,
        )

    def _question(self, jpeg: bytes) -> dict[str, Any]:
        picture = {"url": f"data:image/jpeg;base64,{b64encode(jpeg).decode()}", "detail": "low"}
        content = [{"type": "text", "text": self._prompt}, {"type": "image_url", "image_url": picture}]
        return {
            "model": self.model,
            "messages": [{"role": "user", "content": content}],
            "max_completion_tokens": _TOKENS,
        }

    def _content(self, raw: Any) -> str:
        """Take the sentence out of an answer that is complete and meant as one."""
        unfit, choice = self._completions.unfit, _first_choice(raw)
        if choice is None:
            raise unfit("invalid_answer", read_fault(raw).message or "The answer holds no choice.", raw)
        message, ending = choice["message"], choice.get("finish_reason")
        content, refusal = message.get("content"), message.get("refusal")
        if refusal or ending == "content_filter":
            raise unfit("refused", str(refusal or "The provider's filter withheld the answer."), raw)
        if not isinstance(content, str | None):
            raise unfit("invalid_answer", "The answer's content is not text.", raw)
        if not content or not content.strip():
            raise unfit("empty", "The model gave an empty caption.", raw)
        if ending == "length":  # servers end a good answer by many names, or none at all
            raise unfit("invalid_answer", "The answer is not complete (finish_reason 'length').", raw)
        return content


def _first_choice(raw: Any) -> dict[str, Any] | None:
    choices = raw.get("choices") if isinstance(raw, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) and isinstance(choice.get("message"), dict) else None


def _join(base: str, path: str) -> str:
    url = urlsplit(base)
    return url._replace(path=f"{url.path.rstrip('/')}/{path}").geturl()


PROVIDER = Provider(
    "openai", OpenAI, "OPENAI_API_KEY", "OpenAI", "the base up to /v1 of any compatible server"
)
