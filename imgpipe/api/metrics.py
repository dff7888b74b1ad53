"""Give Prometheus what was counted, and what the database says at this moment."""

from collections.abc import Iterator

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from imgpipe import metrics
from imgpipe.pictures import pause, stats
from imgpipe.version import __version__

blp = Blueprint("metrics", __name__)


class _Present(Collector):
    """Ask the database at the scrape; so a process that was killed leaves no number behind."""

    def collect(self) -> Iterator[Metric]:
        depth = _gauge("imgpipe_queue_depth", "Pieces of work that wait or run.", "stage")
        oldest = _gauge("imgpipe_queue_oldest_seconds", "Age of the work due the longest, s.", "stage")
        for stage, queue in stats.queues().items():
            depth.add_metric([stage], queue.depth)
            oldest.add_metric([stage], queue.oldest_s)
        paused = _gauge("imgpipe_captioning_paused", "1 while no captions are asked for.")
        paused.add_metric([], pause.find() is not None)
        stored = _gauge("imgpipe_stored_bytes", "Bytes of originals and derivatives.")
        stored.add_metric([], stats.stored_bytes())
        build = _gauge("imgpipe_build_info", "Which version this is.", "version")
        build.add_metric([__version__], 1)
        yield from (depth, oldest, paused, stored, build)


def _gauge(name: str, help: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help, labels=labels)


@blp.get("/metrics")
def show() -> Response:
    """Show every metric in Prometheus' text format."""
    return Response(metrics.render(_Present()), content_type=CONTENT_TYPE_LATEST)
