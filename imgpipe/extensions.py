"""Hold the parts that the composition root has chosen for one app."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import current_app
from werkzeug.local import LocalProxy

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


def _parts() -> Parts:
    parts: Parts = current_app.extensions["imgpipe"]
    return parts


parts: Parts = LocalProxy(_parts)  # type: ignore[assignment]
