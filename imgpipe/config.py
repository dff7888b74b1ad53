"""Turn environment variables into one frozen ``Settings``, reporting every fault at once."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, make_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dotenv import load_dotenv

from imgpipe import options
from imgpipe.captions import registry
from imgpipe.captions.protocol import Provider
from imgpipe.errors import ConfigError
from imgpipe.settings import DATA_DIR, Settings

# Kubernetes injects these for a Service that is called imgpipe; they are not ours.
_FOREIGN = re.compile(r"IMGPIPE_(.+_)?(SERVICE|PORT)(_.*)?")
_SECRET = re.compile("KEY|SECRET|TOKEN|PASSWORD")


def from_environment() -> Settings:
    """Read the process's environment, after an ``.env`` in the working directory, which yields to it.

    Raises: ``ConfigError`` as ``load`` does.
    """
    load_dotenv(Path.cwd() / ".env")
    return load(os.environ)


def load(environ: Mapping[str, str]) -> Settings:
    """Parse the options out of ``environ``; a variable that is set but empty counts as unset.

    Raises: ``ConfigError`` whose message has one line a fault: variable, value, what is expected.
    """
    values: dict[str, Any] = {}
    faults = list(_unknown(environ))
    for entry in entries():
        raw = environ.get(entry.metadata["variable"], "")
        if not raw:
            continue
        try:
            values[entry.name] = entry.metadata["parse"](raw)
        except (ValueError, KeyError):
            shown = "(hidden)" if entry.metadata["secret"] else repr(raw)
            faults.append(f"{entry.metadata['variable']}={shown}: expected {entry.metadata['expected']}")
    settings = _derive(values)
    faults += _unwritable(settings)
    faults += registry.faults(settings.captions)
    if settings.webhook_urls and not settings.webhook_secret:
        faults.append("IMGPIPE_WEBHOOK_SECRET=: expected whsec_ and a key in base64, since a URL is set")
    if faults:
        raise ConfigError("\n".join(faults))
    return settings


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    known = {entry.metadata["variable"] for entry in entries()}
    for name in sorted(environ):
        if name.startswith("IMGPIPE_") and name not in known and not _FOREIGN.fullmatch(name):
            shown = "(hidden)" if _SECRET.search(name) else repr(environ[name])
            yield f"{name}={shown}: expected a known option; there is none of this name"


def _derive(values: dict[str, Any]) -> Settings:
    data_dir = values.setdefault("data_dir", DATA_DIR)
    values.setdefault("database_url", f"sqlite:///{data_dir / 'imgpipe.db'}")
    values.setdefault("storage", str(data_dir / "media"))
    keys = {variable: values.pop(variable) for variable in _key_variables() if variable in values}
    values["caption_keys"] = keys
    values.setdefault("captioner", registry.by_key(keys))
    return Settings(**values)


def _unwritable(settings: Settings) -> Iterator[str]:
    for variable, folder in (("IMGPIPE_DATA_DIR", settings.data_dir), ("IMGPIPE_STORAGE", settings.storage)):
        if "://" in str(folder):
            continue
        nearest = next(place for place in (Path(folder), *Path(folder).parents) if os.path.exists(place))
        if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
            yield f"{variable}={str(folder)!r}: expected a directory that can be written"


def table(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield (variable, value, help) for every option, secrets masked."""
    for entry in entries():
        keys = settings.caption_keys
        value = keys.get(entry.name, "") if entry.name in _key_variables() else getattr(settings, entry.name)
        shown = options.shown(value, entry.metadata["secret"])
        yield entry.metadata["variable"], shown, entry.metadata["help"]


def entries() -> "Iterator[Field[Any]]":
    """Yield the options in their order, among them a key for each provider that has one."""
    for entry in fields(Settings):
        yield from fields(_keys()) if entry.name == "caption_keys" else (entry,)


@cache
def _keys() -> type[Any]:
    return make_dataclass("Keys", [_key(it) for it in registry.PROVIDERS.values() if it.key_variable])


def _key(provider: Provider) -> tuple[str, type[str], Any]:
    name = provider.key_variable
    return name, str, options.option(name, "", "a key", f"{provider.title}'s key", options.text, secret=True)


def _key_variables() -> tuple[str, ...]:
    return tuple(entry.name for entry in fields(_keys()))
