"""When a failed caption is tried again."""

import pytest

from imgpipe.captions import CaptionError, delay_s


def _error(retry_after_s: float | None = None, *, retryable: bool = True) -> CaptionError:
    return CaptionError("upstream_error", "It broke.", retryable=retryable, retry_after_s=retry_after_s)


def _least() -> float:
    return 0.0


def _most() -> float:
    return 1.0


def test_the_delay_doubles_from_half_a_second() -> None:
    assert [delay_s(_error(), calls, 0.0, draw=_least) for calls in (1, 2)] == [0.5, 1.0]


def test_the_lot_takes_off_up_to_a_quarter() -> None:
    assert delay_s(_error(), 1, 0.0, draw=_most) == 0.375


def test_the_third_call_is_the_last() -> None:
    assert delay_s(_error(), 3, 0.0) is None


def test_what_cannot_mend_is_not_tried_again() -> None:
    assert delay_s(_error(retryable=False), 1, 0.0) is None


def test_the_providers_wait_comes_on_top() -> None:
    assert delay_s(_error(20.0), 1, 0.0, draw=_least) == 20.5


@pytest.mark.parametrize(("elapsed_s", "expected"), [(44.5, 0.5), (44.6, None)])
def test_the_last_call_ends_within_a_minute_of_the_first(elapsed_s: float, expected: float | None) -> None:
    assert delay_s(_error(), 1, elapsed_s, timeout_s=15.0, draw=_least) == expected
