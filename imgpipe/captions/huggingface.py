"""Ask Hugging Face: a BLIP on the task route, or a vision model on the router's chat route."""

import logging
from threading import Lock
from typing import Any
from urllib.parse import quote

from imgpipe.captions.endpoint import Endpoint
from imgpipe.captions.openai import OpenAI
from imgpipe.captions.outcome import Caption, CaptionError
from imgpipe.captions.protocol import Provider, fingerprint
from imgpipe.captions.verdict import read_fault

ROUTER = "https://router.huggingface.co"
MODEL = "Salesforce/blip-image-captioning-large"
# Listed with several providers, and not thinking unless told to, on
# https://huggingface.co/docs/inference-providers/tasks/image-text-to-text
CHAT_MODEL = "google/gemma-4-31B-it"
_log = logging.getLogger(__name__)


class Task:
    """Caption by ``POST {url}`` with the bare JPEG as body."""

    provider = "huggingface"

    def __init__(self, url: str, key: str, model: str, timeout_s: float) -> None:
        self.model = model
        self.fingerprint = fingerprint(self.provider, model, url)
        self._endpoint = Endpoint(url, key, timeout_s, self.provider, model)

    def caption(self, jpeg: bytes) -> Caption:
        """Describe the picture in one call.

        Raises: CaptionError.
        """
        return self._endpoint.caption(jpeg, "image/jpeg", self._generated_text)

    def _generated_text(self, raw: Any) -> str:
        first = raw[0] if isinstance(raw, list) and raw else raw
        text = first.get("generated_text") if isinstance(first, dict) else None
        if not isinstance(text, str):
            reason = read_fault(raw).message or "The answer holds no generated text."
            raise self._endpoint.unfit("invalid_answer", reason, raw)
        return text


class HuggingFace:
    """Ask the task route, and for good the chat route once the former says that BLIP is not served.

    That holds only where the operator named neither URL nor model. Each ``caption`` is one call: the
    one that finds out fails as retryable.
    """

    provider = "huggingface"

    def __init__(
        self,
        key: str,
        url: str = "",
        model: str = "",
        prompt: str = "",
        timeout_s: float = 15.0,
        *,
        router: str = ROUTER,
    ) -> None:
        name = model or (_model_in(url) if url else MODEL)
        task = Task(url or f"{router}/hf-inference/models/{quote(name)}", key, name, timeout_s)
        self._named_url = bool(url)
        self._current: Task | OpenAI = task
        self._chat: OpenAI | None = None
        self._switching = Lock()
        talker = OpenAI(
            key,
            url=f"{router}/v1",
            model=CHAT_MODEL,
            prompt=prompt,
            timeout_s=timeout_s,
            provider=self.provider,
        )
        self._talker = talker
        if not url and not model:
            self._chat = talker

    @property
    def model(self) -> str:
        """Name the model that the next call asks."""
        return self._current.model

    @property
    def fingerprint(self) -> str:
        """Identify what the next call asks."""
        return self._current.fingerprint

    def caption(self, jpeg: bytes) -> Caption:
        """Describe the picture in one call.

        Raises: CaptionError.
        """
        asked = self._current
        try:
            return asked.caption(jpeg)
        except CaptionError as error:
            if self._chat and asked is not self._chat and _is_unserved(error):
                self._go_over(self._chat)
                error.retryable, error.permanent = True, False
            raise

    def steer(self, *, prompt: str, model: str) -> OpenAI:
        """Return the chat route's captioner with another prompt or model: the task route takes neither.

        Raises: CaptionError where IMGPIPE_CAPTION_URL names the one address to ask.
        """
        if self._named_url:
            raise CaptionError("config_error", "IMGPIPE_CAPTION_URL names a model that takes no prompt.")
        return self._talker.steer(prompt=prompt, model=model)

    def _go_over(self, chat: OpenAI) -> None:
        with self._switching:
            if self._current is not chat:
                self._current = chat
                _log.warning("Hugging Face does not serve %s; asking %s from now on.", MODEL, chat.model)


def _is_unserved(error: CaptionError) -> bool:
    # Of the permanent answers only 404 and 410 are told as config_error.
    return error.permanent and error.code == "config_error"


def _model_in(url: str) -> str:
    return url.partition("/models/")[2].strip("/") or url.rstrip("/").rpartition("/")[2]


PROVIDER = Provider("huggingface", HuggingFace, "HF_API_KEY", "Hugging Face", "the full model URL")
