"""Take messages in a Celery worker's main process; Celery loads this by name, a web process never does."""

import logging

from amqp.exceptions import ResourceLocked  # type: ignore[import-untyped]
from celery.exceptions import WorkerShutdown  # type: ignore[import-untyped]
from celery.worker import consumer  # type: ignore[import-untyped]

log = logging.getLogger(__name__)


class Consumer(consumer.Consumer):  # type: ignore[misc]
    """Say in a sentence why a second worker of one name ends: RabbitMQ keeps the mailbox for the first."""

    def start(self) -> None:
        """Consume until the worker ends. Raises: ``WorkerShutdown``."""
        try:
            super().start()
        except ResourceLocked:
            line = "another worker is called %s; start this one under a name of its own, by -n NAME@%%h"
            log.critical(line, self.hostname)
            raise WorkerShutdown(1) from None
