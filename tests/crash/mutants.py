"""Break the service on purpose, in one place at a time: the quick tests must find each.

``python -m tests.crash.mutants [WORD]`` tries all, or those whose name holds the word.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.crash import figures

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 60
WORLDS = "60"  # of each act: a sample of three would miss what shows in a few of them
# Of the quick part, what has to do with the place; all of it would be found too, only later.
KEEP = "test_points.py::test_nothing_is_lost_whatever_the_moment[some-take in, keep]"
CAPTION = KEEP.replace("keep", "caption")
ZIP = KEEP.replace("keep", "zip")
DELETE = KEEP.replace("take in, keep", "delete")
LOGS = KEEP.replace("take in, keep", "depth logs")
EXPORT = KEEP.replace("take in, keep", "imagefolder")
TOGETHER = "test_together.py"
POSTGRES = "test_failing.py::test_an_upload_whose_connection_is_lost_is_there_altogether_or_not_at_all"
CALLS = "test_payments.py::test_a_captioner_that_gives_no_answer_is_asked_three_times"
TWINS = "test_payments.py::test_a_twin_whose_caption_comes_between_two_looks_is_not_paid_for_again"
TALLIES = "../pictures/test_tallies.py"
REPLACED = "../storage/test_local.py"
DISK = "test_failing.py::test_an_upload_that_the_disk_refuses_leaves_nothing"


@dataclass(frozen=True)
class Mutant:
    """One fault: in whichever file of the package holds ``old``, once, it becomes ``new``."""

    name: str
    old: str
    new: str
    tests: str


MUTANTS = (
    Mutant("no fsync of the file", "[partial(os.fsync, draft.fileno()) for draft in drafts]", "[]", KEEP),
    Mutant(
        "no fsync of the folder",
        "syncs + [partial(_sync_folder, folder) for folder in folders]",
        "syncs",
        KEEP,
    ),
    Mutant("no fsync before another is replaced", "if not fresh:", "if False:", REPLACED),
    Mutant(
        "no fsync of a new folder's parent",
        "        _sync_folder(above)\n        self._durable.add(folder)",
        "        self._durable.add(folder)",
        KEEP,
    ),
    Mutant(
        "answer before the commit is durable",
        "    with writing(durable=True) as session:\n        if once",
        "    with writing(durable=False) as session:\n        if once",
        KEEP,
    ),
    Mutant(
        "commit before put",
        "        parts.storage.put(key, data, fresh=True)"
        "  # where its last step fails, the file is there all the same\n",
        "",
        KEEP,
    ),
    Mutant(
        "unlink before commit",
        "        held = lifecycle.settle(claim, outcome)\n",
        "        for key in getattr(outcome, 'frees', ()):\n            gallery.discard(key)\n"
        "        held = lifecycle.settle(claim, outcome)\n",
        ZIP,
    ),
    Mutant("unlink after a commit that is not durable", " or bool(outcome.frees))", ")", ZIP),
    Mutant(
        "a caption that is not durable",
        "isinstance(outcome, Done) and (outcome.then in ENDS or bool(outcome.frees))",
        "isinstance(outcome, Done) and bool(outcome.frees)",
        CAPTION,
    ),
    Mutant("no fence", "IMAGES.c.attempt == bindparam", "IMAGES.c.attempt >= bindparam", TOGETHER),
    Mutant(
        "renew what is not running",
        "where(HELD, IMAGES.c.running)",
        "where(HELD)",
        TOGETHER,
    ),
    Mutant(
        "release without fence",
        "    _touch(claims, due_at=utc_now() + timedelta(seconds=delay_s), running=False)\n",
        "    with writing(durable=False) as session:\n"
        "        ours = IMAGES.c.id.in_([each.image_id for each in claims])\n"
        "        due_at = utc_now() + timedelta(seconds=delay_s)\n"
        "        session.execute(update(IMAGES).where(ours).values(due_at=due_at, running=False))\n",
        TOGETHER,
    ),
    Mutant(
        "no BEGIN IMMEDIATE", '"BEGIN IMMEDIATE" if options.get("writes") else "BEGIN"', '"BEGIN"', TOGETHER
    ),
    Mutant(
        "claim without SKIP LOCKED", "with_for_update(skip_locked=True, of", "with_for_update(of", TOGETHER
    ),
    Mutant(
        "tallies outside the transaction",
        "        tallies.count(session, total=1, stored_bytes=image.size_bytes)\n",
        "        session.commit()\n        tallies.count(session, total=1, stored_bytes=image.size_bytes)\n",
        KEEP,
    ),
    Mutant(
        "no delete lock",
        "        session.execute(select(Image.id).where(Image.id == image_id).with_for_update())\n",
        "",
        TOGETHER,
    ),
    Mutant(
        "take back although the commit may come true",
        "    if isinstance(error, DBAPIError) and error.connection_invalidated:\n        return\n",
        "",
        POSTGRES,
    ),
    Mutant(
        "no taking back",
        "        if not lifecycle.exists(image_id):\n            parts.storage.delete(key)",
        "        pass",
        DISK,
    ),
    Mutant("no note of a call", "            _note(session, claim, plan)\n", "", CALLS),
    Mutant(
        "look for a caption before looking for a twin under way",
        "    twin_is_asked = _twin_is_asked(session, image)\n"
        "    known = _known(session, image, captioner.fingerprint)\n",
        "    known = _known(session, image, captioner.fingerprint)\n"
        "    twin_is_asked = _twin_is_asked(session, image)\n",
        TWINS,
    ),
    Mutant(
        "two shards in one transaction",
        '    if not hasattr(_own, "shard"):\n',
        "    if True:\n",
        TALLIES,
    ),
    Mutant(
        "a sweep that forgets the dead",
        "_first(stage, _OVERDUE)",
        "_first(stage, _OVERDUE & ~IMAGES.c.running)",
        KEEP,
    ),
    Mutant(
        "files before rows",
        "    for key in lifecycle.remove(image_id):\n",
        "    for row in db.session.scalars(select(Thumbnail.key).where(Thumbnail.image_id == image_id)):\n"
        "        discard(row)\n"
        "    db.session.rollback()\n"
        "    for key in lifecycle.remove(image_id):\n",
        DELETE,
    ),
    Mutant(
        "a depth log that is not durable",
        "        with writing(durable=True) as session:\n            self._hold(session.connection())",
        "        with writing(durable=False) as session:\n            self._hold(session.connection())",
        LOGS,
    ),
)


@dataclass(frozen=True)
class End:
    """What became of a mutant, and how long that took."""

    mutant: Mutant
    fate: str
    took_s: float


def hunt(word: str = "") -> Iterator[End]:
    """Try the mutants one after the other on a copy of the tree."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        tree = Path(name) / "tree"
        unneeded = shutil.ignore_patterns(".git", ".venv", "instance", ".*_cache", ".figures", "__pycache__")
        shutil.copytree(ROOT, tree, ignore=unneeded, symlinks=True)
        for mutant in MUTANTS:
            if word in mutant.name:
                yield _try(mutant, tree)


def places(mutant: Mutant, tree: Path = ROOT) -> list[Path]:
    """List the files that hold what a mutant changes, one as often as it does: there must be one."""
    files = [(path, path.read_text().count(mutant.old)) for path in (tree / "imgpipe").rglob("*.py")]
    return [path for path, count in files for _ in range(count)]


def _try(mutant: Mutant, tree: Path) -> End:
    [place] = places(mutant, tree)
    before = place.read_text()
    place.write_text(before.replace(mutant.old, mutant.new))
    began = time.monotonic()
    try:
        return End(mutant, _test(mutant, tree), time.monotonic() - began)
    finally:
        place.write_text(before)


def _test(mutant: Mutant, tree: Path) -> str:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not soak"]
    try:
        done = subprocess.run(
            [*command, f"tests/crash/{mutant.tests}"],
            cwd=tree,
            env=os.environ
            | {"CRASH_SEED": os.environ.get("CRASH_SEED", "1"), "CRASH_WORLDS": WORLDS}
            | {"PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=WITHIN_S * patience(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "alive when its time was over"
    if done.returncode == 1 and "AssertionError" in done.stdout + done.stderr:
        return "found"
    return "alive" if done.returncode == 0 else f"died of something else: {done.stdout[-500:]}"


def patience() -> float:
    """Return how much longer everything takes on a machine that others use as well."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def main() -> int:
    """Print the fate of each; the exit code tells how many are alive."""
    ends = []
    for end in hunt(sys.argv[1] if sys.argv[1:] else ""):
        ends.append(end)
        print(f"{end.mutant.name:<45} {end.fate}, {end.took_s:.0f} s", flush=True)
    killed = sum(end.fate == "found" for end in ends)
    if not sys.argv[1:]:
        figures.add("mutants", "all", tried=len(ends), killed=killed)
    return len(ends) - killed


if __name__ == "__main__":
    sys.exit(main())
