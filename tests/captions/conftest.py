"""A provider on loopback, the two remote captioners that speak to it, and a picture for them."""

import os
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from io import BytesIO

import pytest
from PIL import Image

from imgpipe.captions import Captioner
from imgpipe.captions.huggingface import HuggingFace
from imgpipe.captions.openai import OpenAI
from tests.captions.provider import Provider

KEY = "sk-proj-4mZq8Wv2Lr7Xc1Tn6Yb3Hd9"
PATIENT_S, HASTY_S = 10.0, 1.0  # enough for the call to arrive on a busy machine
MakeRemote = Callable[[float], Captioner]


def _openai(provider: Provider, timeout_s: float) -> Captioner:
    return OpenAI(KEY, url=provider.openai_url, model="vision-1", timeout_s=timeout_s)


def _huggingface(provider: Provider, timeout_s: float) -> Captioner:
    return HuggingFace(KEY, url=provider.huggingface_url, timeout_s=timeout_s)


@pytest.fixture(params=[_openai, _huggingface], ids=["openai", "huggingface"])
def make_remote(request: pytest.FixtureRequest, provider: Provider) -> MakeRemote:
    return partial(request.param, provider)


@pytest.fixture
def remote(make_remote: MakeRemote) -> Captioner:
    return make_remote(PATIENT_S)


@pytest.fixture
def openai(provider: Provider) -> Captioner:
    return _openai(provider, PATIENT_S)


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    file = BytesIO()
    Image.new("RGB", (64, 48), (40, 120, 40)).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="session")
def needs_blip() -> None:
    """Skip where torch or transformers is absent; a failure with ``CI=true``."""
    missing = [name for name in ("torch", "transformers") if find_spec(name) is None]
    if missing:
        reason = f"needs requirements-blip.txt ({', '.join(missing)} missing)"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
