"""What breaks the promise on purpose is found by the quick tests."""

import pytest

from tests.crash import figures
from tests.crash.mutants import MUTANTS, hunt, places


def test_each_mutant_has_one_place() -> None:
    """Else the code has moved on, and the mutant has to follow."""
    assert not [mutant.name for mutant in MUTANTS if len(places(mutant)) != 1]


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_each_mutant_is_found() -> None:
    ends = list(hunt())
    found = [end for end in ends if end.fate == "found"]
    figures.add("mutants", "all", tried=len(ends), killed=len(found))
    assert not [(end.mutant.name, end.fate) for end in ends if end not in found]
