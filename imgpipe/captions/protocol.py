"""Define what a captioner is, and what it is made from."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from imgpipe.captions.outcome import Caption


@dataclass(frozen=True, slots=True)
class Settings:
    """Hold what the operator chose; an empty text means the captioner's own default.

    ``keys`` are the providers' keys by their variables.

    ``url``: the base up to ``/v1`` for ``openai``, the full model URL for ``huggingface``. ``timeout_s``
    bounds one call in all.
    """

    captioner: str = "none"
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    url: str = ""
    model: str = ""
    prompt: str = ""
    timeout_s: float = 15.0


@runtime_checkable
class Captioner(Protocol):
    """Describe pictures, one call each; safe to share between threads."""

    @property
    def provider(self) -> str:
        """Name who answers."""

    @property
    def model(self) -> str:
        """Name the model that answers."""

    @property
    def fingerprint(self) -> str:
        """Identify all that shapes a caption, so that one of the same bytes can be taken over."""

    def caption(self, jpeg: bytes) -> Caption:
        """Describe an upright sRGB JPEG in one call.

        Raises: CaptionError.
        """


@dataclass(frozen=True, slots=True)
class Provider:
    """Describe a provider: all that the rest of the house knows of it.

    ``make`` takes key, URL, model, prompt and timeout; ``key_variable`` is where its key stands, empty where
    it needs none; ``url_help`` says what IMGPIPE_CAPTION_URL means to it; ``packages`` have to be installed,
    by ``requirements``.
    """

    name: str
    make: Callable[[str, str, str, str, float], Captioner]
    key_variable: str = ""
    title: str = ""
    url_help: str = ""
    packages: tuple[str, ...] = ()
    requirements: str = ""

    def build(self, settings: Settings) -> Captioner:
        """Build its captioner; nothing is loaded and nobody is called yet."""
        return self.make(
            self.key(settings), settings.url, settings.model, settings.prompt, settings.timeout_s
        )

    def key(self, settings: Settings) -> str:
        """Return the key, without what a file or a paste leaves around it."""
        return settings.keys.get(self.key_variable, "").strip()


def fingerprint(provider: str, model: str, url: str = "", prompt: str = "") -> str:
    """Hash what shapes a caption to 64 hex digits."""
    return hashlib.sha256(json.dumps([provider, model, url, prompt]).encode()).hexdigest()
