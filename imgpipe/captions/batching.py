"""Let callers in many threads share one worker that does their items together."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, Queue
from threading import Lock, Thread
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Run ``work`` over at most ``size`` items at a time, in a daemon thread that starts with the first.

    The first of a batch waits ``gather_s`` for others; while a batch runs, the next one gathers by itself.
    """

    def __init__(self, work: Callable[[list[Item]], list[Result]], size: int, gather_s: float) -> None:
        self._work = work
        self._size = size
        self._gather_s = gather_s
        self._orders: Queue[tuple[Item, Future[Result]]] = Queue()
        self._start = Lock()
        self._thread: Thread | None = None

    def submit(self, item: Item) -> Future[Result]:
        """Queue an item; a future cancelled before its batch begins costs no work."""
        future: Future[Result] = Future()
        self._orders.put((item, future))
        with self._start:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="caption-batches", daemon=True)
                self._thread.start()
        return future

    def _run(self) -> None:
        while True:
            batch = [order for order in self._gather() if order[1].set_running_or_notify_cancel()]
            if batch:
                self._settle(batch)

    def _gather(self) -> list[tuple[Item, Future[Result]]]:
        batch = [self._orders.get()]
        until = time.monotonic() + self._gather_s
        while len(batch) < self._size:
            try:
                batch.append(self._orders.get(timeout=max(until - time.monotonic(), 0)))
            except Empty:
                break
        return batch

    def _settle(self, batch: list[tuple[Item, Future[Result]]]) -> None:
        try:
            results = self._work([item for item, _ in batch])
            for (_, future), result in zip(batch, results, strict=True):
                future.set_result(result)
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
