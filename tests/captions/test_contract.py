"""What every captioner keeps to, whoever answers."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from imgpipe.captions import Captioner, Settings, build
from imgpipe.captions.redaction import RAW_BYTES
from tests.captions import blip_model
from tests.captions.conftest import KEY
from tests.captions.provider import Provider

Case = Callable[[pytest.FixtureRequest], Settings]


def _openai(request: pytest.FixtureRequest) -> Settings:
    provider: Provider = request.getfixturevalue("provider")
    return Settings(captioner="openai", keys={"OPENAI_API_KEY": KEY}, url=provider.openai_url)


def _huggingface(request: pytest.FixtureRequest) -> Settings:
    provider: Provider = request.getfixturevalue("provider")
    return Settings(captioner="huggingface", keys={"HF_API_KEY": KEY}, url=provider.huggingface_url)


def _blip(request: pytest.FixtureRequest) -> Settings:
    request.getfixturevalue("needs_blip")
    return Settings(captioner="blip", model=blip_model.save(request.getfixturevalue("tmp_path")))


def _factory(request: pytest.FixtureRequest) -> Settings:
    return Settings(captioner="tests.captions.test_registry:Fixed")


@pytest.fixture(
    params=[_openai, _huggingface, _blip, _factory], ids=["openai", "huggingface", "blip", "factory"]
)
def captioner(request: pytest.FixtureRequest) -> Captioner:
    case: Case = request.param
    built = build(case(request))
    assert built is not None
    return built


def test_a_picture_gets_a_caption_that_names_its_source(captioner: Captioner, jpeg: bytes) -> None:
    caption = captioner.caption(jpeg)
    assert caption.text == caption.text.strip() != ""
    assert len(caption.text) <= 1000
    assert (caption.provider, caption.model) == (captioner.provider, captioner.model)


def test_the_raw_answer_is_small_strict_json(captioner: Captioner, jpeg: bytes) -> None:
    written = json.dumps(captioner.caption(jpeg).raw, allow_nan=False)
    assert len(written) <= RAW_BYTES
    assert KEY not in written


def test_threads_can_share_it(captioner: Captioner, jpeg: bytes) -> None:
    with ThreadPoolExecutor(4) as pool:
        texts = {caption.text for caption in pool.map(captioner.caption, [jpeg] * 8)}
    assert len(texts) == 1


def test_its_fingerprint_stays_the_same(captioner: Captioner, jpeg: bytes) -> None:
    before = captioner.fingerprint
    captioner.caption(jpeg)
    assert captioner.fingerprint == before != ""
