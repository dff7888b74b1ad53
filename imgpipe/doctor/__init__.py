"""Compare what the database says with what there is, and mend the difference."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from imgpipe.doctor import depthblocks, derivatives, files, fingerprints, labels, rows, tallies, words

BATCH = 100
EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that can be wrong: ``find`` yields keys or ids, ``mend`` returns how many it mended."""

    name: str
    find: Callable[[], Iterator[str]]
    mend: Callable[[Sequence[str]], int]
    remedy: str


CHECKS = (
    Check("orphan files", files.find_orphans, files.delete_orphans, "deleted"),
    Check("missing derivatives", derivatives.find_missing, derivatives.restore, "rendered again, or failed"),
    Check("missing originals", files.find_missing_originals, files.forget_originals, "noted as discarded"),
    Check("stuck pictures", rows.find_stuck, rows.free, "queued, or put to rest"),
    Check("overdue work", rows.find_overdue, rows.release, "released for the next worker"),
    Check("wrong tallies", tallies.find_wrong, tallies.recount, "counted again"),
    Check("dead depth imports", depthblocks.find_abandoned, depthblocks.free_abandoned, "undone"),
    Check("replaced depth rows", depthblocks.find_replaced, depthblocks.delete_replaced, "deleted"),
    Check("wrong counts of labels", labels.find_wrong, labels.recount, "counted again"),
    Check("pictures without colour", fingerprints.find_missing, fingerprints.make, "looked at"),
    Check("unsearchable pictures", words.find_missing, words.enter, "entered again"),
)


@dataclass(slots=True)
class Report:
    """What one check found and mended, with the first few cases."""

    check: Check
    found: int = 0
    mended: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Return how many are still wrong."""
        return self.found - self.mended


def examine(fix: bool, hear: Callable[[Report], object] = lambda report: None) -> Iterator[Report]:
    """Make every check, one after the other, and mend what it finds if ``fix``.

    ``hear`` is told of the report at hand after every ``BATCH`` cases: all the thumbnails of a new size take
    their time.

    Raises: ``ForeignStorage`` when ``fix`` would throw everything away; what a database or storage that is
    away raises.
    """
    if fix:
        files.refuse_strangers()
    for check in CHECKS:
        report = Report(check)
        cases = check.find()
        while batch := list(islice(cases, BATCH)):
            report.found += len(batch)
            report.examples += batch[: EXAMPLES - len(report.examples)]
            report.mended += check.mend(batch) if fix else 0
            hear(report)
        yield report
