"""imgpipe: pictures in; thumbnails, metadata and a sentence of description out."""

import os
from pathlib import Path

from flask import Flask

from imgpipe import api, captions, cli, config, lifecycle, logs
from imgpipe.backlog import DatabaseBacklog
from imgpipe.captioning import caption
from imgpipe.config import ROOT, Settings
from imgpipe.extensions import Parts, db, engine_options, listen, migrate
from imgpipe.jobs.inline import InlineJobs
from imgpipe.jobs.protocol import Backlog, Jobs
from imgpipe.jobs.threads import ThreadJobs
from imgpipe.rendering import render
from imgpipe.storage.local import LocalStorage

__version__ = "0.1.0"


def create_app(settings: Settings | None = None) -> Flask:
    """Build the app: the only place where all parts meet.

    Without ``settings`` they are read from the environment. Raises: ``ConfigError``.
    """
    settings = settings or config.load(os.environ)
    app = Flask("imgpipe", static_folder=str(ROOT / "static"), instance_path=str(settings.data_dir))
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    logs.set_up(settings.data_dir, settings.log_format, settings.log_level)
    _connect(app, settings)
    stages = {lifecycle.RENDER: render, lifecycle.CAPTION: caption, lifecycle.RECAPTION: caption}
    backlog = DatabaseBacklog(app, stages, settings.lease_s)
    app.extensions["imgpipe"] = Parts(
        settings=settings,
        storage=LocalStorage(Path(settings.storage)),
        jobs=_hire(settings, backlog),
        captioner=_captioner(settings),
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.strict_slashes = False
    api.init_app(app)
    cli.init_app(app)
    return app


def _connect(app: Flask, settings: Settings) -> None:
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(settings)
    db.init_app(app)
    migrate.init_app(app, db)
    with app.app_context():
        listen(db.engine)


def _hire(settings: Settings, backlog: Backlog) -> Jobs:
    if settings.jobs == "inline":
        return InlineJobs(backlog)
    workers = {lifecycle.RENDER: settings.workers, lifecycle.CAPTION: settings.caption_workers}
    return ThreadJobs(backlog, workers, settings.lease_s)


def _captioner(settings: Settings) -> captions.Captioner | None:
    return captions.build(
        captions.Settings(
            captioner=settings.captioner or "none",
            hf_api_key=settings.hf_api_key,
            openai_api_key=settings.openai_api_key,
            url=settings.caption_url,
            model=settings.caption_model,
            prompt=settings.caption_prompt,
            timeout_s=settings.caption_timeout_s,
        )
    )
