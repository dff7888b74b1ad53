"""Say what is sent to other servers, and what comes back; ``transport`` carries it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """Hold one call: an absolute http or https URL, headers, and the whole body."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold what came back: of the body as much as was asked for; ``whole`` tells whether that was all.

    ``headers`` are found in any case.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool
