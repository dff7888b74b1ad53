"""Turn environment variables into one frozen ``Settings``, reporting every fault at once.

``Settings`` is the table of options: a field's default is the option's, its metadata the rest.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from imgpipe.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
# Kubernetes injects these for a Service that is called imgpipe; they are not ours.
_FOREIGN = re.compile(r"IMGPIPE_(.+_)?(SERVICE|PORT)(_.*)?")
CAPTIONERS = ("none", "huggingface", "openai", "blip")
_SECRET = re.compile("KEY|SECRET|TOKEN|PASSWORD")
# Named by the contract, their parts not built yet: to accept them in silence would be a lie.
LATER = frozenset(
    f"IMGPIPE_{name}"
    for names in (
        ("SIGNED_URLS", "PUBLIC_METRICS", "PUBLIC_DOCS", "CORS_ORIGINS", "PROXY_HOPS", "MAX_BACKLOG"),
        ("RATE_LIMIT", "DEDUPE", "THUMBNAILS", "NEGOTIATE_FORMATS"),
    )
    for name in names
)


def _text(raw: str) -> str:
    return raw


def _path(raw: str) -> Path:
    return Path(raw).expanduser().absolute()


def _flag(raw: str) -> bool:
    return {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }[raw.lower()]


def _names(raw: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in raw.split(","))))


def _captioner(raw: str) -> str:
    if raw not in CAPTIONERS and not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", raw):
        raise ValueError(raw)
    return raw


def _between(low: int, high: int) -> Callable[[str], int]:
    def parse(raw: str) -> int:
        if not re.fullmatch(r"[0-9]{1,15}", raw) or not low <= int(raw) <= high:
            raise ValueError(raw)
        return int(raw)

    return parse


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(raw: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", raw) or not low <= float(raw) <= high:
            raise ValueError(raw)
        return float(raw)

    return parse


def _one_of(*names: str) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        if raw not in names:
            raise ValueError(raw)
        return raw

    return parse


def _base_url(raw: str) -> str:
    if raw and not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", raw):
        raise ValueError(raw)
    return raw.rstrip("/")


def _database_url(raw: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9+]*://.*", raw):
        raise ValueError(raw)
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", raw)


def _storage(raw: str) -> str:
    if "://" in raw:
        raise ValueError(raw)
    return str(_path(raw))


def option(
    variable: str, default: Any, expected: str, help: str, parse: Callable[[str], Any], secret: bool = False
) -> Any:
    """Declare one field of ``Settings``: its variable, default, what is expected, and a line of help."""
    metadata = {"variable": variable, "expected": expected, "help": help, "parse": parse, "secret": secret}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Hold every option of one installation, parsed; ``None`` in a default means: derived, see ``load``."""

    data_dir: Path = option(
        "IMGPIPE_DATA_DIR", ROOT / "instance", "a directory", "database, media and logs", _path
    )
    database_url: str = option(
        "DATABASE_URL",
        "",
        "a database URL such as postgresql://user:password@host/name",
        "where rows are kept; empty: an SQLite file in the data directory",
        _database_url,
        secret=True,
    )
    storage: str = option(
        "IMGPIPE_STORAGE", "", "a directory", "where files are kept; empty: media/ in the data dir", _storage
    )
    originals: str = option(
        "IMGPIPE_ORIGINALS",
        "keep",
        "keep, zip or discard",
        "what becomes of an upload once it is processed",
        _one_of("keep", "zip", "discard"),
    )
    jobs: str = option(
        "IMGPIPE_JOBS", "threads", "threads or inline", "who works on the queue", _one_of("threads", "inline")
    )
    workers: int = option(
        "IMGPIPE_WORKERS",
        2,
        "a whole number from 1 to 64",
        "threads for pixels, per process",
        _between(1, 64),
    )
    caption_workers: int = option(
        "IMGPIPE_CAPTION_WORKERS",
        4,
        "a whole number from 1 to 64",
        "threads for captions, per process",
        _between(1, 64),
    )
    captioner: str = option(
        "IMGPIPE_CAPTIONER",
        "",
        f"{', '.join(CAPTIONERS)} or package.module:factory",
        "who describes pictures; empty: huggingface or openai, whichever key is set, else none",
        _captioner,
    )
    hf_api_key: str = option("HF_API_KEY", "", "a key", "Hugging Face's key", _text, secret=True)
    openai_api_key: str = option("OPENAI_API_KEY", "", "a key", "OpenAI's key", _text, secret=True)
    caption_url: str = option(
        "IMGPIPE_CAPTION_URL",
        "",
        "an http(s) URL without query",
        "openai: the base up to /v1 of any compatible server; huggingface: the full model URL",
        _base_url,
    )
    caption_model: str = option(
        "IMGPIPE_CAPTION_MODEL", "", "a model's name", "empty: the captioner's own", _text
    )
    caption_prompt: str = option("IMGPIPE_CAPTION_PROMPT", "", "a text", "empty: the captioner's own", _text)
    caption_timeout_s: float = option(
        "IMGPIPE_CAPTION_TIMEOUT_S",
        15.0,
        "seconds from 0.1 to 50",
        "one call in all, s",
        _seconds(0.1, 50),
    )
    api_keys: tuple[str, ...] = option(
        "IMGPIPE_API_KEYS",
        (),
        "keys with commas between them",
        "when set, requests need one of these keys",
        _names,
        secret=True,
    )
    lease_s: float = option(
        "IMGPIPE_LEASE_S",
        30.0,
        "seconds from 1 to 3600",
        "a dead worker's work runs again after this, s",
        _seconds(1, 3600),
    )
    max_upload_bytes: int = option(
        "IMGPIPE_MAX_UPLOAD_BYTES",
        32 * 2**20,
        "bytes from 1 to 1073741824",
        "largest picture file, bytes",
        _between(1, 2**30),
    )
    max_pixels: int = option(
        "IMGPIPE_MAX_PIXELS",
        64_000_000,
        "pixels from 1 to 1000000000",
        "largest width x height, px",
        _between(1, 10**9),
    )
    expose_gps: bool = option(
        "IMGPIPE_EXPOSE_GPS", False, "true or false", "show GPS tags in the JSON", _flag
    )
    log_format: str = option(
        "IMGPIPE_LOG_FORMAT", "text", "text or json", "how a log line looks", _one_of("text", "json")
    )
    log_level: str = option(
        "IMGPIPE_LOG_LEVEL",
        "INFO",
        "DEBUG, INFO, WARNING or ERROR",
        "least level that is logged",
        _one_of("DEBUG", "INFO", "WARNING", "ERROR"),
    )
    base_url: str = option(
        "BASE_URL", "", "an http(s) URL without query", "when set, links are absolute", _base_url
    )
    host: str = option("HOST", "127.0.0.1", "a host name or address", "where the server listens", _text)
    port: int = option("PORT", 5000, "a port from 1 to 65535", "where the server listens", _between(1, 65535))
    web_workers: int = option(
        "WEB_CONCURRENCY", 2, "a whole number from 1 to 64", "gunicorn worker processes", _between(1, 64)
    )
    web_threads: int = option(
        "IMGPIPE_WEB_THREADS",
        8,
        "a whole number from 2 to 256",
        "request threads per process",
        _between(2, 256),
    )


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
    if faults:
        raise ConfigError("\n".join(faults))
    return _derive(values)


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    known = {entry.metadata["variable"] for entry in fields(Settings)}
    for name in sorted(environ):
        if name in LATER and environ[name]:
            yield f"{name}={environ[name]!r}: expected nothing, this part is not built yet"
        elif name.startswith("IMGPIPE_") and name not in known | LATER and not _FOREIGN.fullmatch(name):
            shown = "(hidden)" if _SECRET.search(name) else repr(environ[name])
            yield f"{name}={shown}: expected a known option; there is none of this name"


def _derive(values: dict[str, Any]) -> Settings:
    data_dir = values.setdefault("data_dir", ROOT / "instance")
    values.setdefault("database_url", f"sqlite:///{data_dir / 'imgpipe.db'}")
    values.setdefault("storage", str(data_dir / "media"))
    by_key = (
        "huggingface" if values.get("hf_api_key") else "openai" if values.get("openai_api_key") else "none"
    )
    values.setdefault("captioner", by_key)
    return Settings(**values)


def table(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield (variable, value, help) for every option, secrets masked."""
    for entry in fields(settings):
        yield entry.metadata["variable"], _shown(entry, getattr(settings, entry.name)), entry.metadata["help"]


def _shown(entry: "Field[Any]", value: Any) -> str:
    if entry.metadata["secret"] and value:
        return re.sub(r"(?<=://)[^@/]*@", "***@", value) if "://" in value else "***"
    return str(value).lower() if isinstance(value, bool) else str(value)
