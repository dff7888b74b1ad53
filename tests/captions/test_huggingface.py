"""The task route, and the way over to the chat route where BLIP is not served."""

import logging

import pytest

from imgpipe.captions import CaptionError
from imgpipe.captions.huggingface import CHAT_MODEL, MODEL, HuggingFace
from tests.captions.conftest import KEY
from tests.captions.provider import SENTENCE, Provider

TASK = f"/hf-inference/models/{MODEL}"
CHAT = "/v1/chat/completions"


def test_the_task_route_gets_the_bare_jpeg(provider: Provider, jpeg: bytes) -> None:
    caption = HuggingFace(KEY, router=provider.url).caption(jpeg)
    assert (caption.text, caption.provider, caption.model) == (SENTENCE, "huggingface", MODEL)
    [call] = provider.posts
    assert (call.path, call.headers["Content-Type"], call.body) == (TASK, "image/jpeg", jpeg)


def test_where_blip_is_not_served_the_next_call_asks_a_vision_model(provider: Provider, jpeg: bytes) -> None:
    provider.unserved = True
    captioner = HuggingFace(KEY, router=provider.url)
    with pytest.raises(CaptionError) as caught:
        captioner.caption(jpeg)
    assert (caught.value.retryable, caught.value.permanent) == (True, False)
    caption = captioner.caption(jpeg)
    assert (caption.text, caption.provider, caption.model) == (SENTENCE, "huggingface", CHAT_MODEL)
    assert [call.path for call in provider.posts] == [TASK, CHAT]


def test_the_way_over_is_remembered_and_logged_once(
    provider: Provider, jpeg: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    provider.unserved = True
    captioner = HuggingFace(KEY, router=provider.url)
    with caplog.at_level(logging.WARNING), pytest.raises(CaptionError):
        captioner.caption(jpeg)
    for _ in range(3):
        captioner.caption(jpeg)
    assert [call.path for call in provider.posts] == [TASK, CHAT, CHAT, CHAT]
    [line] = caplog.messages
    assert MODEL in line
    assert CHAT_MODEL in line
    assert KEY not in caplog.text


def test_the_way_over_changes_what_captions_can_be_taken_over(provider: Provider, jpeg: bytes) -> None:
    provider.unserved = True
    captioner = HuggingFace(KEY, router=provider.url)
    before = captioner.fingerprint
    with pytest.raises(CaptionError):
        captioner.caption(jpeg)
    assert captioner.fingerprint != before
    assert captioner.model == CHAT_MODEL


def test_a_model_that_the_operator_named_is_never_replaced(provider: Provider, jpeg: bytes) -> None:
    provider.unserved = True
    captioner = HuggingFace(KEY, model="org/captions", router=provider.url)
    for _ in range(2):
        with pytest.raises(CaptionError) as caught:
            captioner.caption(jpeg)
        assert (caught.value.code, caught.value.permanent) == ("config_error", True)
    assert [call.path for call in provider.posts] == ["/hf-inference/models/org/captions"] * 2


def test_a_url_that_the_operator_named_is_never_replaced(provider: Provider, jpeg: bytes) -> None:
    provider.unserved = True
    captioner = HuggingFace(KEY, url=provider.huggingface_url, router=provider.url)
    with pytest.raises(CaptionError) as caught:
        captioner.caption(jpeg)
    assert caught.value.permanent
    assert captioner.model == MODEL


def test_a_missing_chat_model_is_permanent(provider: Provider, jpeg: bytes) -> None:
    provider.fault = "status_404"
    captioner = HuggingFace(KEY, router=provider.url)
    with pytest.raises(CaptionError) as first:
        captioner.caption(jpeg)
    with pytest.raises(CaptionError) as second:
        captioner.caption(jpeg)
    assert (first.value.permanent, second.value.permanent) == (False, True)
