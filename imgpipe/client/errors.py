"""Name what can go wrong on the way to a server and back."""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """The server refused: ``status`` is HTTP's, ``code`` the stable word, ``details`` whatever it adds."""

    def __init__(
        self, status: int, code: str, message: str, details: Mapping[str, Any], request_id: str
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.details = dict(details)
        self.request_id = request_id
        super().__init__(f"{code}: {message}")


class Unreachable(Exception):
    """No answer came within the time that was granted for tries."""
