"""Kill a busy process at moments that a seed draws: ``python -m tests.crash.kills COUNT`` does so many more.

It may be stopped at any time; what it has counted by then stands in the figures.
"""

import itertools
import json
import shutil
import sys
import tempfile
import time
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random, randrange
from traceback import format_exc

from tests.crash import figures
from tests.crash.acts import CAPTIONED
from tests.crash.points import DATABASE, WARM, room
from tests.crash.promises import Told, broken
from tests.crash.service import Event, Service, teller
from tests.factories import png

MOST_ANSWERS = 25
LONGEST_S = 0.03  # most requests take less
PATIENCE_S = 60.0
ORIGINALS = ("keep", "zip", "discard")


def kill(seed: int, place: Path, migrated: Path) -> tuple[int, list[str]]:
    """Kill once, and return how many answers there were before, and what was not kept."""
    draw = Random(seed)
    options = CAPTIONED | {"IMGPIPE_ORIGINALS": draw.choice(ORIGINALS)}
    folder = place / "disk"
    (folder / "data").mkdir(parents=True)
    shutil.copy(migrated, folder / DATABASE)
    ours, theirs = WARM.Pipe()
    process = WARM.Process(target=_be_busy, args=(seed, folder, options, theirs))
    process.start()
    theirs.close()
    with closing(ours):
        ours.recv()
        _await_answers(place / "told", draw.randrange(MOST_ANSWERS))
        time.sleep(draw.uniform(0, LONGEST_S))
        process.kill()
        process.join()
    lines = (place / "told").read_bytes().splitlines()
    ours, theirs = WARM.Pipe()
    judge = WARM.Process(target=_judge, args=(folder, options, lines, theirs))
    judge.start()
    theirs.close()
    with closing(ours):
        faults = ours.recv()
        judge.join()
    return sum(b'"told"' in line for line in lines), faults


def _await_answers(told: Path, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while told.read_bytes().count(b'"told"') < count and time.monotonic() < deadline:
        time.sleep(0.001)


def _be_busy(seed: int, folder: Path, options: dict[str, str], pipe: Connection) -> None:
    """Use the service without an end."""
    draw = Random(seed)
    service = Service(folder, options, teller(folder.parent / "told")).start()
    pipe.send("ready")
    ids: list[str] = []
    for number in itertools.count():
        what = draw.choice(["upload", "upload", "work", "work", "comment", "look", "delete", "store", "drop"])
        if what == "upload":
            ids.append(service.upload(png(8 + number % 40, 8 + number // 40)))
        elif what == "work":
            service.work()
        elif what == "store":
            first = draw.randrange(50)
            service.store("well", {float(first + n): bytes([number % 256, n]) for n in range(9)})
        elif what == "drop":
            if service.client.get("/api/frames/logs/well").status_code == 200:
                service.drop("well")
        elif ids:
            chosen = draw.choice(ids)
            if what == "comment":
                service.comment(chosen, f"{number}")
            elif what == "look":
                service.look(chosen)
            else:
                service.delete(chosen)
                ids.remove(chosen)


def _judge(folder: Path, options: dict[str, str], lines: list[bytes], pipe: Connection) -> None:
    try:
        events: list[Event] = [json.loads(line) for line in lines]
        service = Service(folder, options)
        faults = list(broken(service, Told.by(events), options["IMGPIPE_ORIGINALS"] == "discard"))
        service.stop()
    except BaseException:
        faults = [format_exc()]
    pipe.send(faults)


def kill_many(count: int, seed: int, migrated: Path) -> list[str]:
    """Kill so many times, and add each to the figures."""
    lost = []
    for number in range(count):
        with room() as place:
            answers, faults = kill(seed + number, place, migrated)
        figures.add("kills", "all", kills=1, answers=answers, lost=len(faults))
        lost += [f"seed {seed + number}: {fault}" for fault in faults]
    return lost


def main() -> int:
    """Kill, and print the sums."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        service = Service(folder, {}).start()
        service.stop()
        lost = kill_many(int(sys.argv[1]), randrange(10**9), folder / DATABASE)
    print(*lost, figures.table(), sep="\n")
    return len(lost)


if __name__ == "__main__":
    sys.exit(main())
