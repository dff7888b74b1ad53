"""Talk to an imgpipe server from another program: ``Client("http://127.0.0.1:5000")``."""

from imgpipe.client.client import Client, Frames, Outcome
from imgpipe.client.errors import ApiError, Unreachable

__all__ = ["ApiError", "Client", "Frames", "Outcome", "Unreachable"]
