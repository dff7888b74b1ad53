"""Declare options: one field of the settings each, with a parser that refuses by ``ValueError``.

Plain functions: environs was tried, but it reads `` +5_0 `` as 50 and ``a,,b`` as three names, and its faults
tell neither the value, nor an unknown name, nor hide a secret.
"""

import base64
import re
from collections.abc import Callable, Collection
from dataclasses import field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w.-]+)*/?", re.ASCII)
_HOST = r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"
JOBS = ("threads", "celery", "inline")
PNG_DECODERS = ("pillow", "vips")


def text(raw: str) -> str:
    """Take any text."""
    return raw


def path(raw: str) -> Path:
    """Take a path, made absolute."""
    return Path(raw).expanduser().absolute()


def flag(raw: str) -> bool:
    """Take true or false, also as 1/0, yes/no, on/off."""
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


def names(raw: str) -> tuple[str, ...]:
    """Take names with commas between them."""
    return tuple(filter(None, (name.strip() for name in raw.split(","))))


def captioner(names: Collection[str]) -> Callable[[str], str]:
    """Take one of the names, or ``package.module:factory``."""

    def parse(raw: str) -> str:
        if raw not in names and not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", raw):
            raise ValueError(raw)
        return raw

    return parse


def between(low: int, high: int) -> Callable[[str], int]:
    """Take a whole number in plain digits from ``low`` to ``high``."""

    def parse(raw: str) -> int:
        if not re.fullmatch(r"[0-9]{1,15}", raw) or not low <= int(raw) <= high:
            raise ValueError(raw)
        return int(raw)

    return parse


def seconds(low: float, high: float) -> Callable[[str], float]:
    """Take seconds from ``low`` to ``high``."""

    def parse(raw: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", raw) or not low <= float(raw) <= high:
            raise ValueError(raw)
        return float(raw)

    return parse


def one_of(*names: str) -> Callable[[str], str]:
    """Take one of the names."""

    def parse(raw: str) -> str:
        if raw not in names:
            raise ValueError(raw)
        return raw

    return parse


def base_url(raw: str) -> str:
    """Take an http(s) URL without query; a slash at its end is dropped."""
    if raw and not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", raw):
        raise ValueError(raw)
    return raw.rstrip("/")


def origins(raw: str) -> tuple[str, ...]:
    """Take origins (scheme, host, port where it is not the usual one) with commas between them."""
    found = tuple(name.lower().rstrip("/") for name in names(raw))
    for origin in found:
        if not re.fullmatch(
            r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?", origin
        ):
            raise ValueError(raw)
    return found


def hosts(raw: str) -> tuple[str, ...]:
    """Take host names or addresses with commas between them, each with or without a port."""
    found = tuple(name.lower() for name in names(raw))
    for host in found:
        if not re.fullmatch(_HOST, host):
            raise ValueError(raw)
    return found


def location(raw: str) -> str:
    """Take the path of a location of nginx's; a slash at its end is added."""
    if not re.fullmatch(r"/[A-Za-z0-9._~/-]+", raw):
        raise ValueError(raw)
    return raw.rstrip("/") + "/"


def urls(raw: str) -> tuple[str, ...]:
    """Take http(s) URLs with commas between them."""
    for url in names(raw):
        if not re.fullmatch(r"https?://[^\s/?#]+[^\s#]*", url):
            raise ValueError(url)
    return names(raw)


def webhook_secret(raw: str) -> str:
    """Take a secret of the Standard Webhooks scheme: ``whsec_`` and a key in base64."""
    if not raw.startswith("whsec_") or not base64.b64decode(raw.removeprefix("whsec_"), validate=True):
        raise ValueError(raw)
    return raw


def database_url(raw: str) -> str:
    """Take a URL that SQLAlchemy has the driver for; ``postgres://`` is understood."""
    url = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", raw)
    try:
        make_url(url).get_dialect().import_dbapi()
    except (ArgumentError, ImportError) as error:
        raise ValueError(raw) from error
    return url


def storage(raw: str) -> str:
    """Take a directory, or an S3 bucket where its client is installed."""
    if _BUCKET.fullmatch(raw) and find_spec("obstore"):
        return raw
    if "://" in raw:
        raise ValueError(raw)
    return str(path(raw))


def jobs(raw: str) -> str:
    """Take the name of an executor that is installed."""
    if raw not in JOBS or (raw == "celery" and not find_spec("celery")):
        raise ValueError(raw)
    return raw


def png_decoder(raw: str) -> str:
    """Take the name of a decoder that is installed."""
    if raw not in PNG_DECODERS or (raw == "vips" and not find_spec("_libvips")):
        raise ValueError(raw)
    return raw


def broker_url(raw: str) -> str:
    """Take the URL of a message broker."""
    if not re.fullmatch(r"(rediss?|sentinel|amqps?)://\S+", raw):
        raise ValueError(raw)
    return raw


def option(
    variable: str, default: Any, expected: str, help: str, parse: Callable[[str], Any], secret: bool = False
) -> Any:
    """Declare one field of ``Settings``: its variable, default, what is expected, and a line of help."""
    metadata = {"variable": variable, "expected": expected, "help": help, "parse": parse, "secret": secret}
    return field(default=default, metadata=metadata)


def shown(value: Any, secret: bool) -> str:
    """Write a value for people; of a secret URL only what is no secret."""
    if secret and value:
        return re.sub(r"(?<=://).*(?=@)|(?<=\?).*", "***", value) if "://" in value else "***"
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
