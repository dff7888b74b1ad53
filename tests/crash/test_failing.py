"""The Nth call to disk, database or store fails: the client hears of it, and nothing is half done."""

import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from random import Random

import pytest

from tests.crash import figures
from tests.crash.failing import (
    DONE,
    FAULTS,
    REFUSED,
    SENTENCES,
    STEPS,
    Fault,
    Here,
    Outcome,
    Subject,
    failing,
    refusing,
)
from tests.crash.proxy import MOMENTS, Proxy
from tests.crash.service import Service
from tests.postgres import Postgres, on_sqlite
from tests.s3 import running as s3_running

Nth = Callable[[int], Fault]
FEW, FEW_CUTS = 24, 8
FURTHEST = 60  # no step makes so many calls of a kind
QUICK_FURTHEST = 6
# A file that can't be unlinked stays, and a store may hear of a file only after the service has given up.
LITTERING = ("unlink", "late", "unanswered", "unheard")
LATER = ("unanswered", "late")
soak = pytest.mark.soak


def faults(outcome: Outcome) -> Iterator[str]:
    """Yield what was wrong about a step."""
    if outcome.said not in (DONE, REFUSED):
        yield f"it said {outcome.said}"
    if outcome.again != DONE:
        yield f"the second time it said {outcome.again}"
    yield from outcome.left


def try_each(subject: Subject | Here, kinds: dict[str, Nth], steps: Iterable[str] = STEPS) -> list[str]:
    """Let each call of each step fail, up to the last."""
    wrong, tried = [], 0
    for step, (name, fault) in itertools.product(steps, kinds.items()):
        for number in range(1, FURTHEST):
            outcome = subject.do(step, fault(number))
            if not outcome.hit:
                break
            tried += 1
            wrong += told(f"{step}, {name} {number}", outcome, name)
    note(tried, wrong)
    return wrong


def try_some(subject: Subject | Here, kinds: dict[str, Nth], count: int, seed: int) -> list[str]:
    """Let so many calls fail that the seed chooses; a number behind the last one is drawn again."""
    draw = Random(seed)
    cases = list(itertools.product(STEPS, kinds, range(1, QUICK_FURTHEST)))
    draw.shuffle(cases)
    tried = 0
    wrong: list[str] = []
    beyond: set[tuple[str, str, int]] = set()
    for step, name, number in cases:
        if tried == count or (step, name, number - 1) in beyond:
            continue
        outcome = subject.do(step, kinds[name](number))
        if not outcome.hit:
            beyond.update((step, name, later) for later in range(number, FURTHEST))
            continue
        tried += 1
        wrong += told(f"{step}, {name} {number}", outcome, name)
    note(tried, wrong)
    return wrong


def told(case: str, outcome: Outcome, name: str) -> list[str]:
    """List what was wrong in one case."""
    litter = outcome.litter and outcome.said != DONE and not name.startswith(LITTERING)
    half = [f"{outcome.litter} files without a row"] if litter else []
    return [f"{case}: {fault}" for fault in [*faults(outcome), *half]]


def note(tried: int, wrong: list[str]) -> None:
    """Add to the figures."""
    figures.add("failing calls", "all", tried=tried, broken=len(wrong))
    print(f"{tried} failures tried")


def on_disk(subject: Subject, output: Path) -> dict[str, Nth]:
    """Name the failures of system calls."""

    def nth(name: str, error: str) -> Nth:
        return lambda number: partial(failing, subject.pid, output, name, error, number)

    return {f"{name} {error}": nth(name, error) for name, error in FAULTS}


def over(proxy: Proxy) -> dict[str, Nth]:
    """Name the failures of a connection."""

    def nth(moment: str) -> Nth:
        return lambda number: partial(proxy.cutting, moment, number)  # type: ignore[arg-type]

    return {moment: nth(moment) for moment in MOMENTS}


def by_sqlite(service: Service) -> dict[str, Nth]:
    """Name the failures of statements."""

    def nth(sentence: str) -> Nth:
        return lambda number: partial(refusing, service, sentence, number)

    return {sentence: nth(sentence) for sentence in SENTENCES}


@pytest.fixture
def postgres_proxy(postgres: Postgres, template: str) -> Iterator[tuple[Proxy, dict[str, str]]]:
    """Return a proxy before a migrated database, and the options that lead there."""
    name = "failing"
    postgres.create(name, template)
    with tempfile.TemporaryDirectory(prefix="proxy-") as folder:
        socket = ".s.PGSQL.5432"
        proxy = Proxy(f"{folder}/{socket}", str(postgres.folder / socket))
        yield proxy, {"DATABASE_URL": f"postgresql://postgres@/{name}?host={folder}"}
        proxy.close()
    postgres.drop(name)


@pytest.fixture
def s3_proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Proxy, dict[str, str]]]:
    """Return a proxy before an object store, and the options that lead there."""
    with s3_running() as server:
        port = int(server.url.rpartition(":")[2])
        proxy = Proxy(("127.0.0.1", 0), ("127.0.0.1", port))
        environ = server.environ | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}"}
        yield proxy, {"IMGPIPE_STORAGE": server.make_bucket(), **environ}
        proxy.close()


@pytest.fixture
def start(place: Path) -> Iterator[Callable[[dict[str, str]], Subject]]:
    """Return a function that starts a service over an empty folder."""
    (place / "data").mkdir()
    started: list[Subject] = []

    def begin(options: dict[str, str]) -> Subject:
        started.append(Subject(place, options))
        return started[-1]

    yield begin
    for subject in started:
        subject.close()


def test_some_calls_to_the_disk_fail(
    start: Callable[[dict[str, str]], Subject], place: Path, seed: int
) -> None:
    subject = start({})
    assert not try_some(subject, on_disk(subject, place / "calls"), FEW, seed)


def test_an_upload_that_the_disk_refuses_leaves_nothing(
    start: Callable[[dict[str, str]], Subject], place: Path
) -> None:
    subject = start({})
    kinds = on_disk(subject, place / "calls")
    refusals = {name: kinds[name] for name in ("fsync ENOSPC", "rename EACCES")}
    assert not try_each(subject, refusals, steps=["upload"])


def test_an_upload_whose_connection_is_lost_is_there_altogether_or_not_at_all(
    start: Callable[[dict[str, str]], Subject], postgres_proxy: tuple[Proxy, dict[str, str]]
) -> None:
    proxy, options = postgres_proxy
    kinds = over(proxy)
    assert not try_each(start(options), {name: kinds[name] for name in LATER}, steps=["upload"])


@soak
@pytest.mark.timeout(1800)
def test_each_call_to_the_disk_fails(start: Callable[[dict[str, str]], Subject], place: Path) -> None:
    subject = start({})
    assert not try_each(subject, on_disk(subject, place / "calls"))


def test_some_words_to_postgresql_are_lost(
    start: Callable[[dict[str, str]], Subject], postgres_proxy: tuple[Proxy, dict[str, str]], seed: int
) -> None:
    proxy, options = postgres_proxy
    assert not try_some(start(options), over(proxy), FEW_CUTS, seed)


@soak
@pytest.mark.timeout(1800)
def test_each_word_to_postgresql_is_lost(
    start: Callable[[dict[str, str]], Subject], postgres_proxy: tuple[Proxy, dict[str, str]]
) -> None:
    proxy, options = postgres_proxy
    assert not try_each(start(options), over(proxy))


@on_sqlite
def test_some_statements_to_sqlite_are_refused(captioned: Service, seed: int) -> None:
    assert not try_some(Here(captioned), by_sqlite(captioned), FEW, seed)


@soak
@on_sqlite
@pytest.mark.timeout(1800)
def test_each_statement_to_sqlite_is_refused(captioned: Service) -> None:
    assert not try_each(Here(captioned), by_sqlite(captioned))


def test_some_requests_to_the_object_store_are_lost(
    start: Callable[[dict[str, str]], Subject], s3_proxy: tuple[Proxy, dict[str, str]], seed: int
) -> None:
    proxy, options = s3_proxy
    assert not try_some(start(options), over(proxy), FEW_CUTS, seed)


@soak
@pytest.mark.timeout(1800)
def test_each_request_to_the_object_store_is_lost(
    start: Callable[[dict[str, str]], Subject], s3_proxy: tuple[Proxy, dict[str, str]]
) -> None:
    proxy, options = s3_proxy
    assert not try_each(start(options), over(proxy))
