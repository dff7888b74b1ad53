"""Hold the parts that the composition root has chosen for one app."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from flask import Flask, current_app

from imgpipe.captions import Captioner
from imgpipe.database.depthmodels import DepthLog
from imgpipe.database.models import Image
from imgpipe.jobs.protocol import Jobs
from imgpipe.settings import Settings
from imgpipe.storage.marked import MarkedStorage


@dataclass
class Parts:
    """Name the parts that the composition root has chosen for one app."""

    settings: Settings
    storage: MarkedStorage
    jobs: Jobs
    captioner: Captioner | None
    show_image: Callable[[Image], dict[str, Any]]  # as it stands in lists, for events
    show_log: Callable[[DepthLog], dict[str, Any]]


def present_app() -> Flask:
    """Return the present app itself: each look at it through Flask's proxy costs as much as a header."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return app


class _Present:
    """Hand out the parts of the present app, for less than a proxy of werkzeug's behind Flask's own."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(present_app().extensions["imgpipe"], name)


parts = cast(Parts, _Present())
