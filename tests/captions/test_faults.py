"""Whatever a provider does, a remote captioner says what happened, what to do next, and nothing secret."""

import json
import logging
import socket
import threading
import time
import traceback

import pytest

from imgpipe.captions import Captioner, CaptionError
from imgpipe.captions.huggingface import HuggingFace
from imgpipe.captions.openai import OpenAI
from imgpipe.captions.redaction import RAW_BYTES
from tests.captions.conftest import HASTY_S, KEY, PATIENT_S, MakeRemote
from tests.captions.provider import Provider

# fault, code, retryable, permanent
VERDICTS = [
    ("hang", "timeout", True, False),
    ("drip_headers", "timeout", True, False),
    ("drip_body", "timeout", True, False),
    ("cut_off", "network_error", True, False),
    ("close", "network_error", True, False),
    ("status_500", "upstream_error", True, False),
    ("status_503_loading", "upstream_error", True, False),
    ("status_402", "quota_exhausted", False, True),
    ("status_403", "auth_error", False, False),
    ("status_404", "config_error", False, True),
    ("status_410", "config_error", False, True),
    ("status_413", "bad_image", False, False),
    ("status_400", "config_error", False, False),
    ("bad_image", "bad_image", False, False),
    ("rate_limit_1", "rate_limited", True, False),
    ("rate_limit_99999", "rate_limited", False, False),
    ("insufficient_quota", "quota_exhausted", False, True),
    ("invalid_json", "invalid_answer", False, False),
    ("nan", "invalid_answer", False, False),
    ("html", "invalid_answer", False, False),
    ("html_502", "upstream_error", True, False),
    ("traceback_500", "upstream_error", True, False),
    ("nested", "invalid_answer", False, False),
    ("gigabyte", "invalid_answer", False, False),
    ("empty", "empty", False, False),
    ("blank", "empty", False, False),
    ("redirect", "config_error", False, False),
    ("shape_list", "invalid_answer", False, False),
    ("shape_object", "invalid_answer", False, False),
    ("shape_string", "invalid_answer", False, False),
    ("shape_null", "invalid_answer", False, False),
    ("shape_deep", "invalid_answer", False, False),
    ("error_200", "invalid_answer", False, False),
    ("repeat_key", "auth_error", False, True),
]
CHAT_VERDICTS = [
    ("refusal", "refused"),
    ("content_filter", "refused"),
    ("length", "invalid_answer"),
    ("content_list", "invalid_answer"),
    ("null_text", "empty"),
]


def _fail(captioner: Captioner, jpeg: bytes) -> CaptionError:
    with pytest.raises(CaptionError) as caught:
        captioner.caption(jpeg)
    return caught.value


@pytest.mark.parametrize(("fault", "code", "retryable", "permanent"), VERDICTS)
def test_a_fault_is_named_judged_and_takes_one_call(
    make_remote: MakeRemote,
    provider: Provider,
    jpeg: bytes,
    caplog: pytest.LogCaptureFixture,
    fault: str,
    code: str,
    retryable: bool,
    permanent: bool,
) -> None:
    provider.fault = fault
    remote = make_remote(HASTY_S if code == "timeout" else PATIENT_S)
    with caplog.at_level(logging.DEBUG):
        error = _fail(remote, jpeg)
    assert (error.code, error.retryable, error.permanent) == (code, retryable, permanent)
    assert 0 < len(error.message) <= 500
    assert len(json.dumps(error.raw, allow_nan=False)) <= RAW_BYTES
    assert len(provider.calls) == 1
    told = f"{error} {error!r} {vars(error)} {vars(remote)}"
    for secret in (KEY, KEY[3:-3], "***", "base64,", "Traceback", "<html", "169.254"):
        assert secret not in told
    logged = f"{caplog.text} {''.join(traceback.format_exception(error))}"
    assert KEY[3:-3] not in logged


@pytest.mark.parametrize(("fault", "code"), CHAT_VERDICTS)
def test_a_chat_answer_that_is_withheld_or_cut_is_no_caption(
    openai: Captioner, provider: Provider, jpeg: bytes, fault: str, code: str
) -> None:
    provider.fault = fault
    error = _fail(openai, jpeg)
    assert (error.code, error.retryable, error.permanent) == (code, False, False)


def test_a_refused_connection_is_worth_another_try(jpeg: bytes) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        for captioner in (OpenAI(KEY, url=url), HuggingFace(KEY, url=url)):
            error = _fail(captioner, jpeg)
            assert (error.code, error.retryable, error.permanent) == ("network_error", True, False)


def test_a_host_name_that_cannot_be_looked_up_is_a_network_error(jpeg: bytes) -> None:
    error = _fail(OpenAI(KEY, url=f"http://{'a' * 64}.invalid/v1"), jpeg)
    assert error.code == "network_error"


def test_a_connection_that_is_never_made_ends_at_the_deadline(jpeg: bytes) -> None:
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        error = _fail(OpenAI(KEY, url=url, timeout_s=0.3), jpeg)
    assert (error.code, error.retryable) == ("timeout", True)


@pytest.mark.parametrize("fault", ["hang", "drip_headers", "drip_body", "gigabyte"])
def test_a_call_given_up_leaves_no_thread_behind(
    make_remote: MakeRemote, provider: Provider, jpeg: bytes, fault: str
) -> None:
    provider.fault = fault
    _fail(make_remote(HASTY_S), jpeg)
    patience = time.monotonic() + 5
    while any(thread.name == "outbound-call" for thread in threading.enumerate()):
        assert time.monotonic() < patience
        time.sleep(0.01)


def test_of_a_gigabyte_little_leaves_the_server(remote: Captioner, provider: Provider, jpeg: bytes) -> None:
    provider.fault = "gigabyte"
    _fail(remote, jpeg)
    # What lies beyond the client's 1 MiB sits in the two sockets' buffers.
    assert provider.bytes_sent < 16 * 1024 * 1024


def test_a_short_retry_after_is_passed_on(remote: Captioner, provider: Provider, jpeg: bytes) -> None:
    provider.fault = "rate_limit_1"
    assert _fail(remote, jpeg).retry_after_s == 1.0


def test_a_model_that_loads_says_how_long(remote: Captioner, provider: Provider, jpeg: bytes) -> None:
    provider.fault = "status_503_loading"
    assert _fail(remote, jpeg).retry_after_s == 20.0


def test_the_providers_words_reach_the_error(openai: Captioner, provider: Provider, jpeg: bytes) -> None:
    provider.fault = "insufficient_quota"
    error = _fail(openai, jpeg)
    assert error.message == "openai vision-1 at 127.0.0.1: HTTP 429: No money left"
    assert (error.type, error.param) == ("insufficient_quota", None)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("unprintable", "A dog runs"),
        ("megabyte", "a" * 1000),
        ("script", "<script>alert(1)</script>"),
        ("key_in_caption", "A dog holds [hidden] in its mouth"),
    ],
)
def test_a_strange_caption_is_stored_as_harmless_text(
    remote: Captioner, provider: Provider, jpeg: bytes, fault: str, text: str
) -> None:
    provider.fault = fault
    caption = remote.caption(jpeg)
    assert caption.text == text
    written = json.dumps(caption.raw, allow_nan=False)
    assert len(written) <= RAW_BYTES
    assert "\\u0000" not in written
    assert "\\ud800" not in written
    assert KEY not in written
