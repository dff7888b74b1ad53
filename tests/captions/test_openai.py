"""The chat route as OpenAI documents it."""

import json
from base64 import b64decode
from typing import Any

import pytest

from imgpipe.captions import Captioner
from imgpipe.captions.openai import MODEL, PROMPT, OpenAI
from tests.captions.conftest import KEY
from tests.captions.provider import SENTENCE, Provider


def _asked(provider: Provider) -> dict[str, Any]:
    question: dict[str, Any] = json.loads(provider.posts[0].body)
    return question


def test_the_picture_travels_as_a_data_uri_beside_the_prompt(provider: Provider, jpeg: bytes) -> None:
    OpenAI(KEY, url=provider.openai_url, prompt="What is this?").caption(jpeg)
    text, picture = _asked(provider)["messages"][0]["content"]
    assert text == {"type": "text", "text": "What is this?"}
    kind, _, data = picture["image_url"]["url"].partition(",")
    assert (kind, b64decode(data)) == ("data:image/jpeg;base64", jpeg)
    assert picture["image_url"]["detail"] == "low"


def test_without_settings_a_model_and_a_prompt_are_named(provider: Provider, jpeg: bytes) -> None:
    OpenAI(KEY, url=provider.openai_url).caption(jpeg)
    question = _asked(provider)
    assert question["model"] == MODEL
    assert question["messages"][0]["content"][0]["text"] == PROMPT


def test_another_model_gets_no_option_that_it_may_not_know(provider: Provider, jpeg: bytes) -> None:
    OpenAI(KEY, url=provider.openai_url, model="llava").caption(jpeg)
    question = _asked(provider)
    assert set(question) == {"model", "messages", "max_completion_tokens"}


def test_the_key_goes_into_the_header_alone(provider: Provider, jpeg: bytes) -> None:
    OpenAI(KEY, url=provider.openai_url).caption(jpeg)
    call = provider.posts[0]
    assert call.headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in call.path
    assert KEY.encode() not in call.body


def test_a_server_of_ones_own_needs_no_key(provider: Provider, jpeg: bytes) -> None:
    assert OpenAI("", url=provider.openai_url).caption(jpeg).text == SENTENCE
    assert "Authorization" not in provider.posts[0].headers


def test_a_slash_at_the_end_and_a_query_of_the_base_are_kept_right(provider: Provider, jpeg: bytes) -> None:
    OpenAI(KEY, url=f"{provider.openai_url}/").caption(jpeg)
    OpenAI(KEY, url=f"{provider.openai_url}?version=1").caption(jpeg)
    assert [call.path for call in provider.posts] == [
        "/v1/chat/completions",
        "/v1/chat/completions?version=1",
    ]


@pytest.mark.parametrize("ending", ["ends_null", "ends_eos_token", "ends_end", "ends_without_a_word"])
def test_a_good_answer_is_kept_by_whatever_name_it_ends(
    openai: Captioner, provider: Provider, jpeg: bytes, ending: str
) -> None:
    provider.fault = ending
    assert openai.caption(jpeg).text == SENTENCE
