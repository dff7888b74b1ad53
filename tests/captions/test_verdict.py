"""What a provider's refusal means."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from imgpipe.captions.verdict import judge

NO_HEADERS = CaseInsensitiveDict[str]()


def _headers(retry_after: str) -> CaseInsensitiveDict[str]:
    headers = CaseInsensitiveDict[str]()
    headers["Retry-After"] = retry_after
    return headers


def test_retry_after_may_be_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=10), usegmt=True)
    wait_s = judge(503, _headers(soon), None, "").retry_after_s
    assert wait_s is not None
    assert 5 < wait_s <= 10


def test_a_date_in_the_past_means_now() -> None:
    error = judge(429, _headers("Wed, 21 Oct 2015 07:28:00 GMT"), None, "")
    assert (error.retryable, error.retry_after_s) == (True, 0.0)


@pytest.mark.parametrize("wait", ["20", "020"])
def test_twenty_seconds_are_waited_for(wait: str) -> None:
    assert judge(503, _headers(wait), None, "").retryable


@pytest.mark.parametrize("wait", ["21", "9" * 500, "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_longer_is_rate_limited_at_once(wait: str) -> None:
    error = judge(503, _headers(wait), None, "")
    assert (error.code, error.retryable, error.permanent) == ("rate_limited", False, False)


@pytest.mark.parametrize("wait", ["soon", "-1", "1.5", "\u0661", "Mon, 99 Foo 2100", ""])
def test_a_retry_after_that_says_nothing_is_left_out(wait: str) -> None:
    error = judge(429, _headers(wait), None, "")
    assert (error.retryable, error.retry_after_s) == (True, None)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "No", "type": "t", "param": "p", "code": 7}}, "No"),
        ({"error": "No"}, "No"),
        ({"error": ["No", "Never"]}, "No"),
        ({"message": "No", "code": 400}, "No"),
        ({"detail": "No"}, "No"),
        ("No", "No"),
        ({"error": {"message": ["No"]}}, "The provider answered HTTP 422 without a reason."),
        ([], "The provider answered HTTP 422 without a reason."),
        (None, "The provider answered HTTP 422 without a reason."),
    ],
)
def test_the_reason_is_found_in_every_shape(body: Any, message: str) -> None:
    assert judge(422, NO_HEADERS, body, "").message == message


@pytest.mark.parametrize("estimated", [-1, 10**400, 1e999, True])
def test_a_strange_estimate_is_brought_into_bounds(estimated: float) -> None:
    wait_s = judge(503, NO_HEADERS, {"error": "Loading", "estimated_time": estimated}, "").retry_after_s
    assert wait_s is not None
    assert 0 <= wait_s <= 20


def test_a_filtered_prompt_is_a_refusal() -> None:
    body = {"error": {"message": "Filtered", "code": "content_filter"}}
    assert judge(400, NO_HEADERS, body, "").code == "refused"
