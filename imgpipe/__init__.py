"""imgpipe: pictures in; thumbnails, metadata and a sentence of description out."""

import gc

_collects = gc.isenabled()  # whoever imports us may have decided otherwise
gc.disable()  # what is imported stays: to look through it over and over costs a sixth of the start
# ruff: noqa: E402

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask

from imgpipe import api, captions, cli, config, health, logs, metrics
from imgpipe.api.ranges import LogSchema
from imgpipe.api.schemas import ImageItemSchema
from imgpipe.database.engine import db, engine_options, listen
from imgpipe.database.identity import Identity
from imgpipe.depthlogs import sweeping
from imgpipe.extensions import Parts
from imgpipe.jobs.backlogs import Backlogs
from imgpipe.jobs.inline import InlineJobs
from imgpipe.jobs.periodic import Periodic
from imgpipe.jobs.protocol import Backlog, Jobs
from imgpipe.jobs.threads import ThreadJobs
from imgpipe.pictures import backfill, caption, queue, render
from imgpipe.pictures.backlog import BackfillBacklog, DatabaseBacklog
from imgpipe.settings import STATIC, Settings
from imgpipe.storage.local import LocalStorage
from imgpipe.storage.marked import MarkedStorage
from imgpipe.version import __version__ as __version__
from imgpipe.webhooks.backlog import WebhookBacklog
from imgpipe.webhooks.delivery import Sender
from imgpipe.webhooks.queue import AT_ONCE
from imgpipe.webhooks.queue import STAGE as WEBHOOK

gc.freeze()
if _collects:
    gc.enable()


def create_app(settings: Settings | None = None) -> Flask:
    """Build the app: the only place where all parts meet.

    Without ``settings`` they are read from the environment. Raises: ``ConfigError``.
    """
    settings = settings or config.from_environment()
    app = Flask("imgpipe", static_folder=str(STATIC), instance_path=str(settings.data_dir))
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    metrics.set_up(settings.data_dir / "metrics")
    logs.set_up(settings.data_dir, settings.log_format, settings.log_level)
    _connect(app, settings)
    app.extensions["imgpipe"] = Parts(
        settings=settings,
        storage=_build_storage(app, settings),
        jobs=_build_jobs(app, settings, _join(settings, app)),
        captioner=captions.build(settings.captions),
        show_image=ImageItemSchema().dump,
        show_log=LogSchema().dump,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.strict_slashes = False
    app.ensure_sync = _as_it_is  # type: ignore[method-assign]
    health.init_app(app)
    api.init_app(app)
    cli.init_app(app)
    return app


def _as_it_is(func: Callable[..., Any]) -> Callable[..., Any]:
    """Take every view and hook for the plain function that it is; Flask would find out at each call."""
    return func


def _join(settings: Settings, app: Flask) -> Backlog:
    """Put what waits for idle hours behind the pixels, and the lane of the webhooks beside the others."""
    stages = dict.fromkeys(queue.LANES[queue.CAPTION], caption.STAGE) | {queue.RENDER: render.STAGE}
    pictures, idle = DatabaseBacklog(stages, settings.lease_s), BackfillBacklog(settings.lease_s)
    by_stage: dict[str, Backlog] = {**dict.fromkeys(stages, pictures), backfill.STAGE: idle}
    by_lane: dict[str, Sequence[Backlog]] = {queue.RENDER: (pictures, idle), queue.CAPTION: (pictures,)}
    if settings.webhook_urls:
        webhooks = WebhookBacklog(Sender(settings.webhook_urls, settings.webhook_secret), settings.lease_s)
        by_stage[WEBHOOK], by_lane[WEBHOOK] = webhooks, (webhooks,)
    return Backlogs(by_lane, by_stage, app.app_context)


def _lanes(settings: Settings) -> Sequence[str]:
    return (*queue.LANES, WEBHOOK) if settings.webhook_urls else tuple(queue.LANES)


def _connect(app: Flask, settings: Settings) -> None:
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(settings)
    db.init_app(app)
    with app.app_context():
        listen(db.engine)


def _build_storage(app: Flask, settings: Settings) -> MarkedStorage:
    if "://" not in settings.storage:
        return MarkedStorage(LocalStorage(Path(settings.storage)), Identity(app))
    from imgpipe.storage.objects import TRUST_S, ObjectStorage

    store = ObjectStorage(settings.storage, signed=settings.signed_urls)
    return MarkedStorage(store, Identity(app), TRUST_S)


def _build_jobs(app: Flask, settings: Settings, backlog: Backlog) -> Jobs:
    if settings.jobs == "inline":
        return InlineJobs(backlog)
    if settings.jobs == "celery":
        from imgpipe.jobs.celery import CeleryJobs

        return CeleryJobs(
            backlog,
            _lanes(settings),
            settings.broker_url,
            settings.lease_s,
            partial(_forget_connections, app),
            Periodic(partial(_sweep, app)),
        )
    workers = dict.fromkeys(_lanes(settings), AT_ONCE)
    workers |= {queue.RENDER: settings.workers, queue.CAPTION: settings.caption_workers}
    return ThreadJobs(backlog, workers, settings.lease_s, Periodic(partial(_sweep, app)))


def _sweep(app: Flask) -> bool:
    """Delete old versions of depth logs, also where nobody uploads any more; tells whether there are more."""
    with app.app_context():
        return sweeping.sweep()


def _forget_connections(app: Flask) -> None:
    """Leave the database connections of the process that forked this one to it alone."""
    with app.app_context():
        db.engine.dispose(close=False)
