"""Hold the parts that the composition root has chosen for one app."""

from dataclasses import dataclass

from flask import current_app
from werkzeug.local import LocalProxy

from imgpipe.captions import Captioner
from imgpipe.config import Settings
from imgpipe.jobs.protocol import Jobs
from imgpipe.storage.protocol import Storage


@dataclass
class Parts:
    """Name the parts that the composition root has chosen for one app."""

    settings: Settings
    storage: Storage
    jobs: Jobs
    captioner: Captioner | None


def _parts() -> Parts:
    parts: Parts = current_app.extensions["imgpipe"]
    return parts


parts: Parts = LocalProxy(_parts)  # type: ignore[assignment]
