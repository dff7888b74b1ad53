"""Describe a picture in a sentence, by whichever provider the operator has."""

from imgpipe.captions.outcome import Caption, CaptionError, Code
from imgpipe.captions.protocol import Captioner, Settings
from imgpipe.captions.registry import build, pause_key
from imgpipe.captions.retry import delay_s
from imgpipe.captions.steering import steer

__all__ = [
    "Caption",
    "CaptionError",
    "Captioner",
    "Code",
    "Settings",
    "build",
    "delay_s",
    "pause_key",
    "steer",
]
