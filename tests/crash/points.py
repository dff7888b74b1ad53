"""Play an act once under ``strace``, then rebuild the disk as a crash at each system call leaves it."""

import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from ctypes import CDLL
from dataclasses import dataclass, field
from hashlib import blake2b
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from time import process_time, time
from traceback import format_exc

from imgpipe import metrics
from imgpipe.database.sqlitefile import sqlite
from tests.crash import strace
from tests.crash.acts import ACTS, Act
from tests.crash.disk import Disk, Tree, put
from tests.crash.promises import Told, broken
from tests.crash.service import Event, Service, teller

PR_SET_PTRACER, ANYBODY = 0x59616D61, -1  # prctl(2): where only a parent may trace its children
DATABASE = "data/imgpipe.db"
ANSWER = "an answer"
OLD_S = 7200.0
EXAMPLES = 5
# Processes that begin with everything imported; they are forked from one that has neither threads nor files.
WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload([__name__])


@dataclass
class Result:
    """Count what was tried: ``different`` worlds are those that no other was equal to."""

    boundaries: int = 0
    worlds: int = 0
    different: int = 0
    judged: int = 0
    cpu_s: float = 0.0
    broken: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class World:
    """What is left of the disk after a crash, and how many events had been told by then."""

    name: str
    tree: Tree
    told: int


@contextmanager
def room() -> Iterator[Path]:
    """Return an empty folder, where writing costs nothing if there is such a place."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="crash-", dir=memory, ignore_cleanup_errors=True) as name:
        yield Path(name)


def record(act: Act, place: Path, migrated: Path) -> None:
    """Play an act in a process of its own below ``place``: there lie its ``start`` and its ``calls`` then."""
    strace.find()
    ours, theirs = WARM.Pipe()
    process = WARM.Process(target=_play, args=(act.name, place, migrated, theirs))
    process.start()
    theirs.close()
    with closing(ours):
        _answer(ours)
        with strace.attached(process.pid or 0, place / "calls", "-e", f"trace={strace.CHANGING}"):
            ours.send("go")
            _answer(ours)
            process.join()


def try_all(act: Act, place: Path, seed: int, mixtures: int = 1, at_most: int | None = None) -> Result:
    """Try the worlds of an act that was recorded below ``place``, in a process of its own."""
    ours, theirs = WARM.Pipe()
    process = WARM.Process(target=_try, args=(act.name, place, seed, mixtures, at_most, theirs))
    process.start()
    theirs.close()
    with closing(ours):
        result = _answer(ours)
        process.join()
    assert isinstance(result, Result)
    return result


def _answer(pipe: Connection) -> object:
    try:
        answer, fault = pipe.recv()
    except EOFError as error:
        raise AssertionError("the process died") from error
    assert fault is None, fault
    return answer


def _play(name: str, place: Path, migrated: Path, pipe: Connection) -> None:
    """Prepare an act, wait for a word, and play it to its end."""
    CDLL(None).prctl(PR_SET_PTRACER, ANYBODY, 0, 0, 0)
    try:
        _count_outside(place)
        act = named(name)
        folder = place / "disk"
        (folder / "data").mkdir(parents=True)
        shutil.copy(migrated, folder / DATABASE)
        tell = teller(place / "told")
        service = Service(folder, act.options, tell).start()
        act.prepare(service)
        service.stop()
        shutil.copytree(folder, place / "start")
        pipe.send(("prepared", None))
        pipe.recv()
        act.play(service)
        service.stop()
        pipe.send(("played", None))
    except BaseException:
        pipe.send((None, format_exc()))


def _count_outside(place: Path) -> None:
    """Keep the counts off the disk that is followed: they are mapped into memory, and promised to nobody."""
    counts = place / "counts"
    counts.mkdir(exist_ok=True)
    os.environ[metrics.FOLDER] = str(counts)


def named(name: str) -> Act:
    """Return the act of a name."""
    return next(act for act in ACTS if act.name == name)


def _try(name: str, place: Path, seed: int, mixtures: int, at_most: int | None, pipe: Connection) -> None:
    try:
        _count_outside(place)
        pipe.send((_Trial(named(name), place, seed, mixtures).run(at_most), None))
    except BaseException:
        pipe.send((None, format_exc()))


class _Trial:
    """Go through the worlds of one act; those that are equal to one before are not looked at again."""

    def __init__(self, act: Act, place: Path, seed: int, mixtures: int) -> None:
        self._act = act
        self._place = place
        self._draw = Random(seed)
        self._mixtures = mixtures
        self._calls = strace.read(place / "calls")
        self._events: list[Event] = []
        self._contents: dict[frozenset[tuple[str, bytes | None]], bytes] = {}
        self.result = Result()

    def run(self, at_most: int | None) -> Result:
        """Look at each different world, or at so many of them that the seed chooses."""
        different: dict[frozenset[object], World] = {}
        for world in self._worlds():
            self.result.worlds += 1
            different.setdefault(self._signature(world), world)
        self.result.different = len(different)
        chosen = list(different.values())
        if at_most is not None and len(chosen) > at_most:
            chosen = self._choose(chosen, at_most)
        for world in chosen:
            self.result.judged += 1
            faults = list(self._judge(world))
            if faults and len(self.result.broken) < EXAMPLES:
                self.result.broken.append(f"{self._act.name}, {world.name}: " + "; ".join(faults))
        self.result.cpu_s = round(process_time(), 1)
        return self.result

    def _choose(self, worlds: list[World], count: int) -> list[World]:
        """Draw a third where most of what was told is lost, a third behind an unlink, a third of all.

        The power cut right after the first answer is always among them.
        """
        lost = list({world.told: world for world in worlds if "lost" in world.name}.values())
        unlinked = [world for world in worlds if "unlink" in world.name]
        answered = [world for world in worlds if world.name.startswith(f"after {ANSWER}, all lost")]
        chosen: list[World] = lost[-1:]
        chosen += [world for world in answered[:1] if world not in chosen]
        for some, share in ((lost, count // 3), (unlinked, count // 3), (worlds, count)):
            left = [world for world in some if world not in chosen]
            chosen += self._draw.sample(left, min(len(left), share, count - len(chosen)))
        return chosen

    def _worlds(self) -> Iterator[World]:
        """Do the calls one by one: at each boundary a crash before it, after it, and three power cuts."""
        told_by = str(self._place / "told")
        self._events += _events((self._place / "told").read_bytes())
        written = [_events(call.text(1)) for call in self._calls if _is_told(call, told_by)]
        del self._events[len(self._events) - sum(map(len, written)) :]
        disk = Disk(self._place / "disk", self._place / "start", ignored)
        before = disk.killed()
        for call in self._calls:
            if _is_told(call, told_by):
                self._events += written.pop(0)
                yield from self._power_cuts(disk, ANSWER if "told" in self._events[-1] else "a question")
            elif disk.do(call):
                self.result.boundaries += 1
                name, told = f"{call.name} {self.result.boundaries}", len(self._events)
                yield World(f"before {name}", before, told)
                before = disk.killed()
                yield World(f"after {name}", before, told)
                yield from self._power_cuts(disk, name)
        yield World("the end", before, len(self._events))

    def _power_cuts(self, disk: Disk, name: str) -> Iterator[World]:
        told = len(self._events)
        yield World(f"after {name}, all lost that was not synced", disk.lost(), told)
        yield World(f"after {name}, names kept and bytes lost", disk.hollow(), told)
        for _ in range(self._mixtures):
            yield World(f"after {name}, some lost", disk.mixed(self._draw), told)

    def _signature(self, world: World) -> frozenset[object]:
        """Name what a service finds: what SQLite reads from its files, and all others byte for byte."""
        rows = {path: data for path, data in world.tree.items() if path.startswith(DATABASE)}
        others = {(path, data) for path, data in world.tree.items() if path not in rows}
        key = frozenset(rows.items())
        if key not in self._contents:
            self._contents[key] = self._read(rows)
        return frozenset([self._contents[key], world.told, *others])

    def _read(self, rows: Tree) -> bytes:
        """Digest all that the database says; it must not be damaged."""
        folder = self._fresh("rows")
        put({path.rpartition("/")[2]: data for path, data in rows.items()}, folder)
        connection = sqlite.connect(folder / "imgpipe.db")
        with closing(connection):
            [verdict] = connection.execute("PRAGMA integrity_check").fetchone()
            if verdict != "ok":
                self.result.broken.append(f"{self._act.name}: the database is damaged: {verdict}")
            tables = connection.execute(
                "SELECT name FROM sqlite_master WHERE rootpage > 0 AND type = 'table'"
            )
            names = sorted(name for (name,) in tables)
            found = [connection.execute(f"SELECT * FROM {name}").fetchall() for name in names]
        return blake2b(repr((names, found)).encode()).digest()

    def _judge(self, world: World) -> Iterator[str]:
        folder = self._fresh("disk")
        put(world.tree, folder)
        for path in folder.rglob("*"):
            os.utime(path, (time() - OLD_S,) * 2)
        events = self._events[: world.told]
        service = Service(folder, self._act.options, events.append)
        try:
            yield from self._act.look(service)
            self._act.resume(service)
            yield from broken(service, Told.by(events), self._act.discards)
        except Exception:
            yield format_exc()
        finally:
            service.stop()

    def _fresh(self, name: str) -> Path:
        """Return an empty folder, beside what the act had beside its own."""
        folder = self._place / "world" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        beside = folder.parent / "beside"
        if (self._place / "beside").exists() and not beside.exists():
            beside.symlink_to(self._place / "beside")
        return folder


def ignored(path: str) -> bool:
    """Tell whether a path needs no book-keeping: the log, and the index of SQLite's WAL.

    That index is shared memory, made anew by the first process that opens the database.
    """
    return path.endswith("-shm") or path.startswith("data/logs")


def _is_told(call: strace.Call, path: str) -> bool:
    return call.name == "write" and call.file().path == path


def _events(lines: bytes) -> list[Event]:
    return [json.loads(line) for line in lines.splitlines()]
