"""Callers in many threads share batches."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from imgpipe.captions.batching import Batcher


def test_each_caller_gets_its_own_result() -> None:
    batcher: Batcher[int, str] = Batcher(lambda items: [str(item) for item in items], 8, 0.005)
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda item: batcher.submit(item).result(5), range(200)))
    assert results == [str(item) for item in range(200)]


def test_those_who_wait_share_a_batch_of_at_most_eight() -> None:
    sizes: list[int] = []
    begun, go = threading.Event(), threading.Event()

    def work(items: list[int]) -> list[int]:
        sizes.append(len(items))
        begun.set()
        go.wait(5)
        return items

    batcher: Batcher[int, int] = Batcher(work, 8, 0.0)
    futures = [batcher.submit(0)]
    begun.wait(5)
    futures += [batcher.submit(item) for item in range(1, 11)]
    go.set()
    assert [future.result(5) for future in futures] == list(range(11))
    assert sizes == [1, 8, 2]


def test_an_item_given_up_before_its_batch_costs_nothing() -> None:
    done: list[str] = []
    begun, go = threading.Event(), threading.Event()

    def work(items: list[str]) -> list[str]:
        begun.set()
        go.wait(5)
        done.extend(items)
        return items

    batcher: Batcher[str, str] = Batcher(work, 1, 0.0)
    first = batcher.submit("first")
    begun.wait(5)
    given_up, last = batcher.submit("given up"), batcher.submit("last")
    given_up.cancel()
    go.set()
    first.result(5)
    last.result(5)
    assert done == ["first", "last"]


def test_a_batch_that_fails_fails_its_callers_and_not_the_next() -> None:
    def work(items: list[int]) -> list[float]:
        return [1 / item for item in items]

    batcher: Batcher[int, float] = Batcher(work, 1, 0.0)
    with pytest.raises(ZeroDivisionError):
        batcher.submit(0).result(5)
    assert batcher.submit(2).result(5) == 0.5
