"""BLIP through transformers, on a tiny model."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imgpipe.captions import CaptionError, Settings, build
from imgpipe.captions.blip import Blip
from tests.captions import blip_model

TEN_S = 10.0


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, needs_blip: None) -> str:
    return blip_model.save(tmp_path_factory.mktemp("blip"))


def test_a_picture_gets_a_sentence_of_the_models_words(folder: str, jpeg: bytes) -> None:
    caption = Blip(folder, TEN_S).caption(jpeg)
    assert set(caption.text.split()) <= set(blip_model.WORDS)
    assert (caption.provider, caption.model) == ("blip", folder)


def test_many_threads_are_served_together(folder: str, jpeg: bytes) -> None:
    captioner = Blip(folder, TEN_S)
    alone = captioner.caption(jpeg)
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(captioner.caption, [jpeg] * 24))
    assert together == [alone] * 24


def test_what_is_no_picture_is_a_bad_image(folder: str) -> None:
    with pytest.raises(CaptionError) as caught:
        Blip(folder, TEN_S).caption(b"not a picture")
    assert (caught.value.code, caught.value.retryable) == ("bad_image", False)


@pytest.mark.usefixtures("needs_blip")
def test_a_model_that_is_not_there_is_permanent(tmp_path: Path, jpeg: bytes) -> None:
    with pytest.raises(CaptionError) as caught:
        Blip(str(tmp_path), 60.0).caption(jpeg)
    assert (caught.value.code, caught.value.permanent) == ("config_error", True)


def test_a_call_waits_no_longer_than_its_timeout(folder: str, jpeg: bytes) -> None:
    with pytest.raises(CaptionError) as caught:
        Blip(folder, 0.0).caption(jpeg)
    assert (caught.value.code, caught.value.retryable) == ("timeout", True)


def test_building_loads_nothing_heavy(folder: str) -> None:
    script = (
        "import sys; from imgpipe.captions import Settings, build;"
        f"build(Settings(captioner='blip', model={folder!r}));"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_without_being_chosen_blip_is_not_imported() -> None:
    script = (
        "import sys; from imgpipe.captions import Settings, build;"
        "build(Settings()); sys.exit('imgpipe.captions.blip' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_name_in_the_settings_picks_the_model(folder: str) -> None:
    captioner = build(Settings(captioner="blip", model=folder))
    assert captioner is not None
    assert captioner.model == folder
