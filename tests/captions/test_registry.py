"""A name in the configuration picks the captioner."""

from dataclasses import replace

import pytest

from imgpipe.captions import Caption, Captioner, Settings, build
from imgpipe.errors import ConfigError

KEYS = Settings(keys={"HF_API_KEY": "hf_secretsecret", "OPENAI_API_KEY": "sk-secretsecret"})


class Fixed:
    """A captioner from elsewhere."""

    provider = "fixed"
    model = "one"
    fingerprint = "fixed"

    def __init__(self, settings: Settings) -> None:
        self.prompt = settings.prompt

    def caption(self, jpeg: bytes) -> Caption:
        return Caption(self.prompt or "A picture", self.provider, self.model)


def fail(settings: Settings) -> Captioner:
    raise OSError(settings.keys["HF_API_KEY"])


def make_nothing(settings: Settings) -> object:
    return object()


def test_none_is_no_captioner() -> None:
    assert build(Settings()) is None


@pytest.mark.parametrize("name", ["huggingface", "openai"])
def test_a_provider_is_built_by_name(name: str) -> None:
    captioner = build(replace(KEYS, captioner=name))
    assert captioner is not None
    assert captioner.provider == name


def test_a_factory_is_called_with_the_settings(jpeg: bytes) -> None:
    captioner = build(Settings(captioner=f"{__name__}:Fixed", prompt="Hello"))
    assert captioner is not None
    assert captioner.caption(jpeg) == Caption("Hello", "fixed", "one")


def test_an_unknown_name_lists_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match="='gpt': expected none, huggingface, openai, blip or package"):
        build(Settings(captioner="gpt"))


@pytest.mark.parametrize("factory", ["fail", "make_nothing", "missing", "VALID.x"])
def test_a_broken_factory_stops_the_start_without_its_secrets(factory: str) -> None:
    with pytest.raises(ConfigError, match="IMGPIPE_CAPTIONER") as caught:
        build(replace(KEYS, captioner=f"{__name__}:{factory}"))
    assert "secret" not in str(caught.value)


def test_a_factory_of_no_package_stops_the_start() -> None:
    with pytest.raises(ConfigError, match="ModuleNotFoundError"):
        build(Settings(captioner="no_such_package:make"))


@pytest.mark.parametrize(("name", "variable"), [("huggingface", "HF_API_KEY"), ("openai", "OPENAI_API_KEY")])
def test_a_public_provider_needs_its_key(name: str, variable: str) -> None:
    with pytest.raises(ConfigError, match=variable):
        build(Settings(captioner=name, keys={"HF_API_KEY": " "}))


def test_blanks_around_a_key_are_dropped() -> None:
    assert build(Settings(captioner="openai", keys={"OPENAI_API_KEY": "sk-secretsecret\n"})) is not None


@pytest.mark.parametrize("key", ["sk-se\ncret", "sk-\u00e9secret", "sk-se cret"])
def test_a_key_that_fits_no_header_stops_the_start_and_is_not_repeated(key: str) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY") as caught:
        build(Settings(captioner="openai", keys={"OPENAI_API_KEY": key}))
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/v1",
        "x",
        "http://",
        "http://x:99999/",
        "http://u:p@x/v1",
        "http://x/\n",
        "http://[x/",
        "http://é/",
    ],
)
def test_an_address_that_cannot_be_called_stops_the_start(url: str) -> None:
    with pytest.raises(ConfigError, match="IMGPIPE_CAPTION_URL"):
        build(replace(KEYS, captioner="openai", url=url))


def test_the_settings_never_show_a_key() -> None:
    assert "secret" not in repr(KEYS)


def test_a_fingerprint_changes_with_model_url_and_prompt_alone() -> None:
    openai = replace(KEYS, captioner="openai")
    variants = [
        openai,
        replace(openai, model="other"),
        replace(openai, url="http://127.0.0.1:1/v1"),
        replace(openai, prompt="Which animal?"),
    ]
    prints = [captioner.fingerprint for each in variants if (captioner := build(each))]
    assert len(set(prints)) == 4
    again = build(replace(openai, keys={"OPENAI_API_KEY": "sk-othersecret"}, timeout_s=1.0))
    assert again is not None
    assert again.fingerprint == prints[0]
