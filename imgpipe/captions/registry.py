"""Turn a captioner's name in the configuration into the captioner."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from urllib.parse import urlsplit

from imgpipe.captions.huggingface import HuggingFace
from imgpipe.captions.openai import OpenAI
from imgpipe.captions.protocol import Captioner, Settings
from imgpipe.errors import ConfigError

VALID = "none, huggingface, openai, blip, package.module:factory"


def build(settings: Settings) -> Captioner | None:
    """Build the captioner that the settings name; ``none`` is None.

    Nothing is loaded and nobody is called yet.

    Raises: ConfigError naming the variable, what was found and what is expected.
    """
    name = settings.captioner
    if name in _BUILDERS:
        return _BUILDERS[name](settings)
    if ":" in name:
        return _plug_in(settings)
    raise ConfigError(f"IMGPIPE_CAPTIONER: {name!r} is not one of {VALID}")


def _huggingface(settings: Settings) -> Captioner:
    return HuggingFace(
        _key("HF_API_KEY", settings.hf_api_key, settings),
        url=_url(settings.url),
        model=settings.model,
        prompt=settings.prompt,
        timeout_s=settings.timeout_s,
    )


def _openai(settings: Settings) -> Captioner:
    return OpenAI(
        _key("OPENAI_API_KEY", settings.openai_api_key, settings),
        base=_url(settings.url),
        model=settings.model,
        prompt=settings.prompt,
        timeout_s=settings.timeout_s,
    )


def _blip(settings: Settings) -> Captioner:
    if not (find_spec("torch") and find_spec("transformers")):
        raise ConfigError("IMGPIPE_CAPTIONER: 'blip' needs the packages of requirements-blip.txt")
    captioner: Captioner = import_module("imgpipe.captions.blip").Blip(settings.model, settings.timeout_s)
    return captioner


def _plug_in(settings: Settings) -> Captioner:
    module, _, factory = settings.captioner.partition(":")
    try:
        captioner = getattr(import_module(module), factory)(settings)
    except Exception as error:
        fault = type(error).__name__
        raise ConfigError(f"IMGPIPE_CAPTIONER: {settings.captioner!r} fails with {fault}") from error
    if not isinstance(captioner, Captioner):
        raise ConfigError(f"IMGPIPE_CAPTIONER: {settings.captioner!r} does not make a captioner")
    return captioner


def _key(variable: str, key: str, settings: Settings) -> str:
    """Check a key without ever repeating it; only a server of one's own goes without."""
    key = key.strip()
    if not key and not settings.url:
        raise ConfigError(f"{variable}: is empty, and the captioner {settings.captioner!r} needs it")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise ConfigError(f"{variable}: holds characters that no key has")
    return key


def _url(url: str) -> str:
    try:
        parts = urlsplit(url)
        fine = not url or (parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0)
    except ValueError:
        fine = False
    if not fine or parts.username or not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigError("IMGPIPE_CAPTION_URL: expected http(s)://host[:port]/path, without user or blanks")
    return url


_BUILDERS: dict[str, Callable[[Settings], Captioner | None]] = {
    "none": lambda settings: None,
    "huggingface": _huggingface,
    "openai": _openai,
    "blip": _blip,
}
