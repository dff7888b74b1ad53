"""The table of options: a field's default is the option's, its metadata the rest; ``config`` reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imgpipe import options
from imgpipe.captions import Settings as CaptionSettings
from imgpipe.captions import registry
from imgpipe.imaging import formats
from imgpipe.imaging.recipe import LEAST_PX, MOST_PX, RECIPE, Recipe, read_recipe
from imgpipe.options import option

PACKAGE = Path(__file__).resolve().parent
# An installed package has no checkout around it: its data belongs where it is started, its page is packed.
CHECKOUT = PACKAGE.parent if (PACKAGE.parent / "static" / "index.html").is_file() else None
STATIC = (CHECKOUT or PACKAGE) / "static"
DATA_DIR = (CHECKOUT or Path.cwd()) / "instance"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Hold every option of one installation, parsed; ``None`` in a default means: derived, see ``load``."""

    data_dir: Path = option(
        "IMGPIPE_DATA_DIR", DATA_DIR, "a directory", "database, media and logs", options.path
    )
    database_url: str = option(
        "DATABASE_URL",
        "",
        "a database URL such as postgresql://user:password@host/name, its driver installed",
        "where rows are kept; empty: an SQLite file in the data directory",
        options.database_url,
        secret=True,
    )
    storage: str = option(
        "IMGPIPE_STORAGE",
        "",
        "a directory, or s3://bucket/prefix with requirements-scale.txt installed",
        "where files are kept; empty: media/ in the data dir",
        options.storage,
    )
    signed_urls: bool = option(
        "IMGPIPE_SIGNED_URLS",
        False,
        "true or false",
        "with s3: send clients on to the store for thumbnails instead of streaming them",
        options.flag,
    )
    originals: str = option(
        "IMGPIPE_ORIGINALS",
        "keep",
        "keep, zip or discard",
        "what becomes of an upload once it is processed",
        options.one_of("keep", "zip", "discard"),
    )
    jobs: str = option(
        "IMGPIPE_JOBS",
        "threads",
        "threads, inline, or celery with requirements-scale.txt installed",
        "who works on the queue",
        options.jobs,
    )
    broker_url: str = option(
        "CELERY_BROKER_URL",
        "redis://127.0.0.1:6379/0",
        "a redis://, rediss://, sentinel://, amqp:// or amqps:// URL",
        "with celery: who carries its messages",
        options.broker_url,
        secret=True,
    )
    workers: int = option(
        "IMGPIPE_WORKERS",
        2,
        "a whole number from 1 to 64",
        "threads for pixels, per process",
        options.between(1, 64),
    )
    caption_workers: int = option(
        "IMGPIPE_CAPTION_WORKERS",
        4,
        "a whole number from 1 to 64",
        "threads for captions, per process",
        options.between(1, 64),
    )
    captioner: str = option(
        "IMGPIPE_CAPTIONER",
        "",
        registry.VALID,
        f"who describes pictures; empty: {registry.BY_KEY}, whichever key is set, else none",
        options.captioner(registry.NAMES),
    )
    # A row for each provider that has a key, by its variable; ``config`` makes them.
    caption_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    caption_url: str = option(
        "IMGPIPE_CAPTION_URL",
        "",
        "an http(s) URL without query",
        registry.URL_HELP,
        options.base_url,
    )
    caption_model: str = option(
        "IMGPIPE_CAPTION_MODEL", "", "a model's name", "empty: the captioner's own", options.text
    )
    caption_prompt: str = option(
        "IMGPIPE_CAPTION_PROMPT", "", "a text", "empty: the captioner's own", options.text
    )
    caption_timeout_s: float = option(
        "IMGPIPE_CAPTION_TIMEOUT_S",
        15.0,
        "seconds from 0.1 to 50",
        "one call in all, s",
        options.seconds(0.1, 50),
    )
    api_keys: tuple[str, ...] = option(
        "IMGPIPE_API_KEYS",
        (),
        "keys with commas between them",
        "when set, requests need one of these keys",
        options.names,
        secret=True,
    )
    public_docs: bool = option(
        "IMGPIPE_PUBLIC_DOCS", False, "true or false", "the documentation needs no key", options.flag
    )
    public_metrics: bool = option(
        "IMGPIPE_PUBLIC_METRICS", False, "true or false", "/metrics needs no key", options.flag
    )
    allowed_hosts: tuple[str, ...] = option(
        "IMGPIPE_ALLOWED_HOSTS",
        (),
        "host names with commas between them",
        "hosts that are served; empty: on loopback without proxy its names and BASE_URL's, else any",
        options.hosts,
    )
    cors_origins: tuple[str, ...] = option(
        "IMGPIPE_CORS_ORIGINS",
        (),
        "origins such as https://photos.example.org with commas between them",
        "other sites whose pages may use the API",
        options.origins,
    )
    proxy_hops: int = option(
        "IMGPIPE_PROXY_HOPS",
        0,
        "a whole number from 0 to 10",
        "proxies in front whose X-Forwarded- headers are believed",
        options.between(0, 10),
    )
    accel_prefix: str = option(
        "IMGPIPE_ACCEL_PREFIX",
        "",
        "a path such as /protected-media/",
        "the location at which an nginx in front serves the media directory (X-Accel-Redirect)",
        options.location,
    )
    webhook_urls: tuple[str, ...] = option(
        "IMGPIPE_WEBHOOK_URL",
        (),
        "http(s) URLs with commas between them, and IMGPIPE_WEBHOOK_SECRET",
        "who hears of pictures and logs that are done",
        options.urls,
        secret=True,
    )
    webhook_secret: str = option(
        "IMGPIPE_WEBHOOK_SECRET",
        "",
        "whsec_ and a key in base64",
        "what events are signed with",
        options.webhook_secret,
        secret=True,
    )
    lease_s: float = option(
        "IMGPIPE_LEASE_S",
        30.0,
        "seconds from 1 to 3600",
        "a dead worker's work runs again after this, s",
        options.seconds(1, 3600),
    )
    max_upload_bytes: int = option(
        "IMGPIPE_MAX_UPLOAD_BYTES",
        32 * 2**20,
        "bytes from 1 to 1073741824",
        "largest picture file, bytes",
        options.between(1, 2**30),
    )
    max_pixels: int = option(
        "IMGPIPE_MAX_PIXELS",
        64_000_000,
        "pixels from 1 to 1000000000",
        "largest width x height, px",
        options.between(1, 10**9),
    )
    max_csv_bytes: int = option(
        "IMGPIPE_MAX_CSV_BYTES",
        2 * 2**30,
        "bytes from 1 to 1099511627776",
        "largest CSV that a form may carry, bytes",
        options.between(1, 2**40),
    )
    accept: tuple[str, ...] = option(
        "IMGPIPE_ACCEPT",
        formats.DEFAULT,
        f"names out of {', '.join(formats.FORMATS)} (with requirements-heic.txt installed), commas between",
        f"formats of pictures that are taken in, out of {', '.join(formats.FORMATS)}",
        formats.read_names,
    )
    thumbnails: Recipe = option(
        "IMGPIPE_THUMBNAILS",
        RECIPE,
        f"{RECIPE}, and more such names with a longest side of {LEAST_PX} to {MOST_PX} px",
        "sizes of thumbnails, each with its longest side, px; small and medium stay",
        read_recipe,
    )
    png_decoder: str = option(
        "IMGPIPE_PNG_DECODER",
        "pillow",
        "pillow, or vips with requirements-vips.txt installed",
        "who unpacks PNGs, to the same pixels; vips saves a third of the CPU of photographs",
        options.png_decoder,
    )
    max_backlog: int = option(
        "IMGPIPE_MAX_BACKLOG",
        100_000,
        "pictures from 1 to 1000000000",
        "uploads are refused as busy while so many pictures wait",
        options.between(1, 10**9),
    )
    min_free_bytes: int = option(
        "IMGPIPE_MIN_FREE_BYTES",
        256 * 2**20,
        "bytes from 0 to 1099511627776",
        "uploads are refused as busy while less of the disk is free, bytes",
        options.between(0, 2**40),
    )
    dedupe: bool = option(
        "IMGPIPE_DEDUPE",
        False,
        "true or false",
        "answer an upload of known bytes with the picture that is there",
        options.flag,
    )
    expose_gps: bool = option(
        "IMGPIPE_EXPOSE_GPS", False, "true or false", "show GPS tags in the JSON", options.flag
    )
    log_format: str = option(
        "IMGPIPE_LOG_FORMAT", "text", "text or json", "how a log line looks", options.one_of("text", "json")
    )
    log_level: str = option(
        "IMGPIPE_LOG_LEVEL",
        "INFO",
        "DEBUG, INFO, WARNING or ERROR",
        "least level that is logged",
        options.one_of("DEBUG", "INFO", "WARNING", "ERROR"),
    )
    base_url: str = option(
        "BASE_URL", "", "an http(s) URL without query", "when set, links are absolute", options.base_url
    )
    host: str = option(
        "HOST", "127.0.0.1", "a host name or address", "where the server listens", options.text
    )
    port: int = option(
        "PORT", 5000, "a port from 1 to 65535", "where the server listens", options.between(1, 65535)
    )
    web_workers: int = option(
        "WEB_CONCURRENCY",
        2,
        "a whole number from 1 to 64",
        "gunicorn worker processes",
        options.between(1, 64),
    )
    web_threads: int = option(
        "IMGPIPE_WEB_THREADS",
        8,
        "a whole number from 2 to 256",
        "request threads per process",
        options.between(2, 256),
    )

    @property
    def captions(self) -> CaptionSettings:
        """Return what concerns the captioner."""
        return CaptionSettings(
            captioner=self.captioner or "none",
            keys=self.caption_keys,
            url=self.caption_url,
            model=self.caption_model,
            prompt=self.caption_prompt,
            timeout_s=self.caption_timeout_s,
        )
