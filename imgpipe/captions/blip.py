"""Caption on this machine with a BLIP model, several pictures at a time."""

from concurrent.futures import Future
from importlib import import_module
from io import BytesIO
from typing import Any

from PIL import Image

from imgpipe.captions.batching import Batcher
from imgpipe.captions.outcome import TEXT_LENGTH, Caption, CaptionError
from imgpipe.captions.protocol import fingerprint
from imgpipe.text import clean_text

MODEL = "Salesforce/blip-image-captioning-base"
_BATCH = 8
# A few milliseconds bring the other waiting workers in; a batch of one takes a second.
_GATHER_S = 0.005
_NEW_TOKENS = 25


class NotLoaded(Exception):
    """The model, or the packages that run it, are not there."""


class Blip:
    """Caption with one model a process, loaded at the first picture.

    ``model`` is a name on the Hub or a folder. The time to load counts towards ``timeout_s``, but goes on
    behind a call that gave up, so a later one finds the model ready.
    """

    provider = "blip"

    def __init__(self, model: str = "", timeout_s: float = 15.0) -> None:
        self.model = model or MODEL
        self.fingerprint = fingerprint(self.provider, self.model)
        self._timeout_s = timeout_s
        self._network: Network | None = None
        self._batches = Batcher(self._describe, _BATCH, _GATHER_S)

    def caption(self, jpeg: bytes) -> Caption:
        """Describe the picture, in one batch with those that other threads bring.

        Raises: CaptionError.
        """
        waiting = self._batches.submit(_decode(jpeg))
        text = clean_text(self._result(waiting), TEXT_LENGTH).strip()
        if not text:
            raise CaptionError("empty", "The model gave an empty caption.")
        return Caption(text, self.provider, self.model, {"generated_text": text})

    def _result(self, waiting: Future[str]) -> str:
        try:
            return waiting.result(self._timeout_s)
        except TimeoutError as error:
            waiting.cancel()
            message = f"The model did not answer within {self._timeout_s:g} s."
            raise CaptionError("timeout", message, retryable=True) from error
        except NotLoaded as error:
            message = f"The model {self.model} cannot be loaded."
            raise CaptionError("config_error", clean_text(message, 500), permanent=True) from error
        except Exception as error:
            message = f"The model failed: {type(error).__name__}."
            raise CaptionError("upstream_error", message, retryable=True) from error

    def _describe(self, pictures: list[Image.Image]) -> list[str]:
        if self._network is None:
            self._network = Network(self.model)
        return self._network.describe(pictures)


class Network:
    """Hold the weights, in bfloat16, on a CUDA device where there is one.

    Raises: NotLoaded.
    """

    def __init__(self, model: str) -> None:
        try:
            self._torch = import_module("torch")
            transformers = import_module("transformers")
            transformers.utils.logging.disable_progress_bar()
            self._processor = transformers.BlipProcessor.from_pretrained(model)
            network = transformers.BlipForConditionalGeneration.from_pretrained(
                model, dtype=self._torch.bfloat16
            )
        except Exception as error:
            raise NotLoaded(model) from error
        self._network = network.to("cuda" if self._torch.cuda.is_available() else "cpu").eval()

    def describe(self, pictures: list[Image.Image]) -> list[str]:
        """Give each RGB picture a sentence."""
        pixels: Any = self._processor(images=pictures, return_tensors="pt")["pixel_values"]
        with self._torch.inference_mode():
            tokens = self._network.generate(
                pixel_values=pixels.to(self._network.device, self._network.dtype), max_new_tokens=_NEW_TOKENS
            )
        return list(self._processor.batch_decode(tokens, skip_special_tokens=True))


def _decode(jpeg: bytes) -> Image.Image:
    try:
        with Image.open(BytesIO(jpeg), formats=("JPEG",)) as picture:
            return picture.convert("RGB")
    except Exception as error:
        raise CaptionError("bad_image", "The picture cannot be read.") from error
