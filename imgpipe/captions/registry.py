"""List the providers, and turn a captioner's name in the configuration into the captioner."""

import hashlib
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from urllib.parse import urlsplit

from imgpipe.captions import huggingface, openai
from imgpipe.captions.protocol import Captioner, Provider, Settings
from imgpipe.errors import ConfigError

BLIP_PACKAGES = ("torch", "transformers")


def _blip(_key: str, _url: str, model: str, _prompt: str, timeout_s: float) -> Captioner:
    captioner: Captioner = import_module("imgpipe.captions.blip").Blip(model, timeout_s)
    return captioner


# In the order in which a key that is set chooses among them.
PROVIDERS: Mapping[str, Provider] = {
    provider.name: provider
    for provider in (
        huggingface.PROVIDER,
        openai.PROVIDER,
        Provider("blip", _blip, packages=BLIP_PACKAGES, requirements="requirements-blip.txt"),
    )
}
NAMES = ("none", *PROVIDERS)
VALID = f"{', '.join(NAMES)} or package.module:factory"
BY_KEY = " or ".join(name for name, it in PROVIDERS.items() if it.key_variable)
URL_HELP = "; ".join(f"{name}: {it.url_help}" for name, it in PROVIDERS.items() if it.url_help)


def by_key(keys: Mapping[str, str]) -> str:
    """Name the first provider whose key is among those set, by variable; ``none`` without any."""
    return next((name for name, it in PROVIDERS.items() if keys.get(it.key_variable)), "none")


def pause_key(settings: Settings) -> str:
    """Identify who is asked with which key, by a hash: a pause holds for that alone."""
    provider = PROVIDERS.get(settings.captioner)
    key = provider.key(settings) if provider else ""
    chosen = (settings.captioner, settings.url, settings.model, key)
    return hashlib.blake2b(repr(chosen).encode(), digest_size=16).hexdigest()


def build(settings: Settings) -> Captioner | None:
    """Build the captioner that the settings name; ``none`` is None.

    Nothing is loaded and nobody is called yet.

    Raises: ConfigError, a line a fault.
    """
    if ":" in settings.captioner:
        return _plug_in(settings)
    if found := list(_faults(settings)):
        raise ConfigError("\n".join(found))
    return PROVIDERS[settings.captioner].build(settings) if settings.captioner != "none" else None


def faults(settings: Settings) -> list[str]:
    """Tell everything that would keep ``build`` from building: variable, value, what is expected."""
    try:
        build(settings)
    except ConfigError as error:
        return error.message.splitlines()
    return []


def _faults(settings: Settings) -> Iterator[str]:
    provider = PROVIDERS.get(settings.captioner)
    if provider is None:
        if settings.captioner != "none":
            yield f"IMGPIPE_CAPTIONER={settings.captioner!r}: expected {VALID}"
        return
    if not all(map(find_spec, provider.packages)):
        yield (
            f"IMGPIPE_CAPTIONER={provider.name!r}: expected the packages of {provider.requirements} installed"
        )
    if provider.key_variable:
        yield from _key_faults(provider, settings)
        yield from _url_faults(settings.url)


def _plug_in(settings: Settings) -> Captioner:
    module, _, factory = settings.captioner.partition(":")
    expected = f"IMGPIPE_CAPTIONER={settings.captioner!r}: expected a factory that makes a captioner"
    try:
        captioner = getattr(import_module(module), factory)(settings)
    except Exception as error:
        raise ConfigError(f"{expected}, not {type(error).__name__}") from error
    if not isinstance(captioner, Captioner):
        raise ConfigError(expected)
    return captioner


def _key_faults(provider: Provider, settings: Settings) -> Iterator[str]:
    """Check a key without ever repeating it; only a server of one's own goes without."""
    key = provider.key(settings)
    if not key and not settings.url:
        yield f"{provider.key_variable}=: expected a key, which the captioner {provider.name!r} needs"
    if not (key.isascii() and key.isprintable() and " " not in key):
        yield f"{provider.key_variable}=(hidden): expected a key of printable characters without blanks"


def _url_faults(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        fine = not url or (parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0)
    except ValueError:
        fine = False
    if not fine or parts.username or not url.isascii() or not url.isprintable() or " " in url:
        expected = "expected http(s)://host[:port]/path, without user or blanks"
        yield f"IMGPIPE_CAPTION_URL=(hidden): {expected}"
