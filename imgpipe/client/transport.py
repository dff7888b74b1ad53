"""Send requests that may be sent again: pauses as the server asks, the same idempotency key at every try."""

import random
import time
from collections.abc import Iterator
from typing import Any

import requests

from imgpipe.client.errors import ApiError, Unreachable

# What says nothing of the request itself: another try may well succeed. 409 only where the server says when.
PASSING = frozenset({408, 429, 502, 503, 504})
# What a connection does that ends before its answer did.
BROKEN = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 8.0


class Transport:
    """Hold one server's address, key and connections; safe to share between threads."""

    def __init__(self, url: str, api_key: str | None, timeout_s: float, retry_s: float) -> None:
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._retry_s = retry_s
        self._session = requests.Session()
        self._session.mount(self._url, requests.adapters.HTTPAdapter(pool_maxsize=32))
        if api_key:
            self._session.headers["Authorization"] = f"Bearer {api_key}"

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request until it is answered for good; ``path`` may be a whole URL of this server.

        A body must be bytes, or it could not be sent twice. Raises: ``ApiError``, ``Unreachable``.
        """
        options.setdefault("timeout", self._timeout_s)
        deadline, pause_s = time.monotonic() + self._retry_s, FIRST_PAUSE_S
        while True:
            response, fault = self._try(method, path, options)
            if response is not None and not _is_passing(response):
                return _checked(response)
            wait_s = _retry_after_s(response) or pause_s * random.uniform(0.5, 1.0)
            if time.monotonic() + wait_s > deadline:
                if response is not None:
                    return _checked(response)
                raise Unreachable(f"{self._url} does not answer: {fault}") from fault
            if response is not None:
                response.close()
            time.sleep(wait_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Send a request and return the whole envelope of its answer."""
        envelope: dict[str, Any] = self.request(method, path, **options).json()
        return envelope

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _try(
        self, method: str, path: str, options: dict[str, Any]
    ) -> tuple[requests.Response | None, Exception | None]:
        url = path if path.startswith(("http://", "https://")) else self._url + path
        if not url.startswith(self._url + "/"):
            raise ValueError(f"{url} is not an address of {self._url}")
        try:
            return self._session.request(
                method, url, allow_redirects=method in ("GET", "HEAD"), **options
            ), None
        except BROKEN as fault:
            return None, fault


def read(response: requests.Response, chunk_bytes: int) -> Iterator[bytes]:
    """Yield a body as it comes. Raises: ``Unreachable`` when it ends before it is whole."""
    try:
        yield from response.iter_content(chunk_bytes)
    except BROKEN as fault:
        raise Unreachable(f"the answer broke off: {fault}") from fault


def _is_passing(response: requests.Response) -> bool:
    return response.status_code in PASSING or (
        response.status_code == 409 and "Retry-After" in response.headers
    )


def _retry_after_s(response: requests.Response | None) -> float | None:
    told = response.headers.get("Retry-After", "") if response is not None else ""
    return float(told) if told.isascii() and told.isdigit() else None


def _checked(response: requests.Response) -> requests.Response:
    """Return an answer that is none of an error. Raises: ``ApiError``."""
    if response.status_code < 400:
        return response
    try:
        body = response.json()
    except ValueError:
        body = {}
    told = body if isinstance(body, dict) else {}
    raise ApiError(
        response.status_code,
        str(told.get("code", "unknown")),
        str(told.get("error", response.reason)),
        told.get("details") or {},
        str(told.get("request_id", response.headers.get("X-Request-ID", ""))),
    )
