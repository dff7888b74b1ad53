"""What costs something is asked once in a while, however many want to know whether the service is ready."""

import pytest

from imgpipe.health import Answers


@pytest.mark.parametrize(("fault", "said"), [(None, "ok"), (OSError("full"), "down")])
def test_of_many_who_ask_within_a_moment_one_goes(fault: Exception | None, said: str) -> None:
    asked = []

    def ping() -> None:
        asked.append(1)
        if fault:
            raise fault

    answers = Answers()
    assert [answers.ask("storage", ping) for _ in range(20)] == [said] * 20
    assert len(asked) == 1


def test_each_part_is_asked_for_itself() -> None:
    def fail() -> None:
        raise OSError

    answers = Answers()
    assert (answers.ask("storage", lambda: None), answers.ask("jobs", fail)) == ("ok", "down")
