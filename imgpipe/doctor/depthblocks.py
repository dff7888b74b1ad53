"""Look for blocks of depth logs that no reader can see any more, and for imports that died."""

from collections.abc import Iterator, Sequence

from imgpipe.depthlogs import drafts, sweeping

# The next upload or deletion of any log sweeps; where there is none for a day, that is worth a word.
OVERDUE_S = 86_400


def find_replaced() -> Iterator[str]:
    """Yield ``log number/version`` of each version whose predecessor's blocks should have gone by now."""
    yield from (f"{log}/{version}" for log, version in sweeping.find_replaced(OVERDUE_S))


def delete_replaced(cases: Sequence[str]) -> int:
    """Delete the blocks; returns for how many versions."""
    for case in cases:
        log, version = map(int, case.split("/"))
        while sweeping.delete_some(log, version):
            pass
    return len(cases)


def find_abandoned() -> Iterator[str]:
    """Yield the names of logs into which an import died."""
    yield from drafts.find_abandoned()


def free_abandoned(cases: Sequence[str]) -> int:
    """Undo what is left of these imports; returns how many."""
    return sum(1 for _ in drafts.free_abandoned(cases))
