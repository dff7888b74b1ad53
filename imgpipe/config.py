"""Turn environment variables into one frozen ``Settings``, reporting every fault at once."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from dotenv import load_dotenv

from imgpipe import options
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
    for entry in fields(Settings):
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
    if settings.webhook_urls and not settings.webhook_secret:
        faults.append("IMGPIPE_WEBHOOK_SECRET=: expected whsec_ and a key in base64, since a URL is set")
    if faults:
        raise ConfigError("\n".join(faults))
    return settings


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    known = {entry.metadata["variable"] for entry in fields(Settings)}
    for name in sorted(environ):
        if name.startswith("IMGPIPE_") and name not in known and not _FOREIGN.fullmatch(name):
            shown = "(hidden)" if _SECRET.search(name) else repr(environ[name])
            yield f"{name}={shown}: expected a known option; there is none of this name"


def _derive(values: dict[str, Any]) -> Settings:
    data_dir = values.setdefault("data_dir", DATA_DIR)
    values.setdefault("database_url", f"sqlite:///{data_dir / 'imgpipe.db'}")
    values.setdefault("storage", str(data_dir / "media"))
    by_key = (
        "huggingface" if values.get("hf_api_key") else "openai" if values.get("openai_api_key") else "none"
    )
    values.setdefault("captioner", by_key)
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
    for entry in fields(settings):
        value = options.shown(getattr(settings, entry.name), entry.metadata["secret"])
        yield entry.metadata["variable"], value, entry.metadata["help"]
