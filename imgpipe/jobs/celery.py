"""Work on the queue in Celery's workers: ``celery -A wsgi.celery worker -n NAME@%h -Q render,caption``.

The database stays the queue. A message says no more than a lane's name, and means: claim what has been due
there the longest, and do it. So a message that comes twice finds nothing to do, and one that is lost, or a
broker that is emptied, costs seconds only: every web and worker process looks into the database each second
and tops the broker's queues up while work is due. Whoever finds them full adds nothing, so that many who look
make no flood.
"""

import contextlib
import errno
import logging
import queue
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from celery import Celery, signals  # type: ignore[import-untyped]
from kombu.transport import redis

from imgpipe.jobs.executor import AWAY_S, Executor
from imgpipe.jobs.periodic import Periodic
from imgpipe.jobs.protocol import Backlog

TASK = "imgpipe.work"
LOOK_S = 1.0
WAKES = 16  # what a look tops a queue up to: enough for the seconds until the next one
HINTS = 10_000  # announcements that wait for the broker; what does not fit is found by looking
ANSWER_S = 2.0
# How long Redis keeps a message from others before it takes its worker for dead. The database's lease is
# much quicker to notice; this only has to be longer than any one task.
VISIBILITY_S = 600
log = logging.getLogger(__name__)


class _Channel(redis.Channel):
    """Fail on a connection that is gone with an error that Celery knows.

    kombu 5.7 raises ``AttributeError`` when something is acknowledged or put back there, which ends the whole
    worker: about every fifteenth time that Redis dies under load.
    """

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise ConnectionError("the connection to the broker is gone")
        return super()._connparams(asynchronous)  # type: ignore[no-untyped-call]


class _Transport(redis.Transport):
    """Carry messages by Redis over such channels."""

    Channel = _Channel


def _make_celery(broker_url: str, lanes: Iterable[str]) -> Celery:
    celery = Celery("imgpipe", broker=broker_url, set_as_current=False)
    if broker_url.startswith("redis"):  # a sentinel has channels of its own
        celery.conf.broker_transport = _Transport
    if broker_url.startswith("rediss"):
        # What kombu takes where neither the URL nor anything else says how to check the certificate.
        celery.conf.broker_use_ssl = {"ssl_cert_reqs": ssl.CERT_NONE}
    celery.conf.update(
        task_queues={lane: {} for lane in lanes},
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_proc_alive_timeout=30,
        worker_consumer="imgpipe.jobs.consumer:Consumer",  # 7 MB that a web process needs not load
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a worker outlives any outage of the broker
        broker_transport_options={"visibility_timeout": VISIBILITY_S} if _is_redis(broker_url) else {},
    )
    return celery


def _is_redis(broker_url: str) -> bool:
    return broker_url.startswith(("redis", "sentinel"))


class CeleryJobs:
    """Announce work to the broker, and in a worker's process do it.

    ``after_fork`` runs first in a process that Celery has forked, to let go of what can't be shared. Threads
    start in a process when it begins to work, never in a worker's main process, which goes on forking. The
    keeper of the leases also sees to the ``periodic`` task.
    """

    def __init__(
        self,
        backlog: Backlog,
        lanes: Iterable[str],
        broker_url: str,
        lease_s: float,
        after_fork: Callable[[], object],
        periodic: Periodic | None = None,
    ) -> None:
        self.celery = _make_celery(broker_url, lanes)
        self.celery.task(self._work, name=TASK, shared=False)
        self._executor = Executor(backlog, lease_s, periodic)
        self._after_fork = after_fork
        self._hints: queue.Queue[str] = queue.Queue(HINTS)
        signals.worker_process_init.connect(self._begin, weak=False)
        signals.worker_process_shutdown.connect(self._end, weak=False)
        signals.setup_logging.connect(_share_log, weak=False)

    @property
    def started(self) -> bool:
        """Tell whether this very process works, not one it was forked from."""
        return self._executor.started

    @property
    def stopping(self) -> bool:
        """Tell whether the process is about to end."""
        return self._executor.stopping

    def start(self) -> None:
        """Start this process's messenger and the keeper of its leases, once."""
        if self.started or not self._executor.begin():
            return
        for duty in (self._carry_messages, self._keep_leases):
            threading.Thread(target=duty, name=duty.__name__.strip("_"), daemon=True).start()

    def wake(self, lane: str) -> None:
        """Have a message sent for one piece of work; never waits for the broker."""
        with contextlib.suppress(queue.Full):
            self._hints.put_nowait(lane)

    def ping(self) -> None:
        """Raise ``OSError`` when the broker is away."""
        try:
            with self._dial() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0)
        except Exception as error:
            raise OSError(errno.EIO, "the broker is away") from error

    def close(self) -> None:
        """Take no more work, and give back what is held."""
        self._executor.close()

    def _begin(self, **_: Any) -> None:
        self._after_fork()
        self.start()

    def _end(self, **_: Any) -> None:
        self.close()

    def _work(self, lane: str) -> None:
        """Do one piece of work of a lane; when the database is away this fails, and a later look finds it."""
        self.start()
        self._executor.work(lane)

    def _keep_leases(self) -> None:
        while not self._executor.wait(self._executor.lease_s / 3):
            try:
                self._executor.renew()
            except Exception as error:
                log.warning("leases could not be renewed: %s", type(error).__name__)
            self._executor.do_periodic()

    def _carry_messages(self) -> None:
        """Send what is announced, and look for what is not, over one connection as long as it holds."""
        while not self.stopping:
            try:
                with self._dial() as connection:
                    while not self.stopping:
                        self._send_hints(connection)
                        self._top_up(connection)
            except Exception as error:
                log.warning("broker or database is out of reach: %s", type(error).__name__)
                self._executor.wait(AWAY_S)

    def _send_hints(self, connection: Any) -> None:
        """Pass on what is announced until it is time for the next look."""
        deadline = time.monotonic() + LOOK_S
        with contextlib.suppress(queue.Empty):
            while not self.stopping:
                lane = self._hints.get(timeout=max(0.0, deadline - time.monotonic()))
                self._send(connection, lane)

    def _top_up(self, connection: Any) -> None:
        """Make sure of some messages in every lane that has work due."""
        for lane in self._executor.due():
            declared = connection.default_channel.queue_declare(lane, durable=True, auto_delete=False)
            for _ in range(WAKES - declared.message_count):
                self._send(connection, lane)

    def _send(self, connection: Any, lane: str) -> None:
        self.celery.send_task(TASK, (lane,), queue=lane, connection=connection, retry=False)

    def _dial(self) -> Any:
        """Return a connection, not yet made, on which no answer takes longer than ``ANSWER_S``."""
        patience = {"socket_timeout": ANSWER_S, "socket_connect_timeout": ANSWER_S}
        options = patience if _is_redis(self.celery.conf.broker_url) else {}
        return self.celery.connection_for_write(connect_timeout=ANSWER_S, transport_options=options)


def _share_log(**_: Any) -> None:
    """Have Celery complain where this service does; that somebody listens keeps it from its own set-up."""
    celery = logging.getLogger("celery")
    celery.handlers = logging.getLogger("imgpipe").handlers
    celery.setLevel(logging.WARNING)  # below that it writes two lines for every task
    celery.propagate = False
