"""Ask a captioner in other words, or another model of the same provider, for some pictures only."""

from typing import Protocol, runtime_checkable

from imgpipe.captions.outcome import CaptionError
from imgpipe.captions.protocol import Captioner


@runtime_checkable
class Steerable(Protocol):
    """What a captioner offers that can be asked in other words."""

    def steer(self, *, prompt: str, model: str) -> Captioner:
        """Return a captioner like this one with another prompt or model; an empty text changes nothing.

        Raises: CaptionError (``config_error``) when that cannot be.
        """


def steer(captioner: Captioner, *, prompt: str = "", model: str = "") -> Captioner:
    """Steer any captioner.

    Raises: CaptionError (``config_error``) when it cannot be.
    """
    if not isinstance(captioner, Steerable):
        raise CaptionError("config_error", f"The captioner {captioner.provider} takes no prompt or model.")
    return captioner.steer(prompt=prompt, model=model)
