"""Offer what a program does with pictures and depth logs: upload, wait, list, download, read, export."""

import base64
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from imgpipe.client.errors import ApiError, Unreachable
from imgpipe.client.transport import Transport, read

Image = dict[str, Any]  # as the API gives it: image_id, status, caption, thumbnails, …
Source = str | os.PathLike[str] | bytes
LONGEST_WAIT_S = 30
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of many uploads: the picture, or the fault; ``known`` when it was in before."""

    source: Path
    image: Image | None
    fault: ApiError | Unreachable | OSError | None
    known: bool = False


@dataclass(frozen=True, slots=True)
class Frames:
    """A depth range, ascending: grey pixels, uint8 (rows, width); ``holes`` is True where there are none."""

    pixels: NDArray[np.uint8]
    holes: NDArray[np.bool_] | None
    depth_min: float
    depth_max: float


class Client:
    """Speak to one server; may be shared by threads, and used as a context manager.

    ``timeout_s`` bounds each try, ``retry_s`` all tries of one call. Raises: ``ApiError`` when the server
    refuses, ``Unreachable`` when it does not answer.
    """

    def __init__(
        self, url: str, api_key: str | None = None, *, timeout_s: float = 60, retry_s: float = 60
    ) -> None:
        self._transport = Transport(url, api_key, timeout_s, retry_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def upload(self, source: Source, name: str | None = None, labels: Iterable[str] = ()) -> Image:
        """Send a picture, a path or its bytes; a lost answer makes no second picture."""
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        if name is None and not isinstance(source, bytes):
            name = Path(source).name
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Digest": f"sha-256=:{digest}:",
            "Idempotency-Key": uuid4().hex,
        }
        params = [("name", name)] * bool(name) + [("labels", label) for label in labels]
        sent = self._transport.json("POST", "/api/images", data=data, headers=headers, params=params)
        image: Image = sent["data"]
        return image

    def upload_many(
        self,
        sources: Iterable[str | os.PathLike[str]],
        progress: Callable[[int, Outcome], object] = lambda _count, _outcome: None,
        *,
        threads: int = 4,
        skip_known: bool = True,
    ) -> list[Outcome]:
        """Send files, several at a time; bytes that are in already are not sent again.

        ``progress`` is called with the number of files done and the latest outcome. One file's fault does
        not stop the others.
        """
        outcomes: list[Outcome] = []
        with ThreadPoolExecutor(threads) as pool:
            tasks = pool.map(lambda source: self._take(Path(source), skip_known), sources)
            for count, outcome in enumerate(tasks, 1):
                outcomes.append(outcome)
                progress(count, outcome)
        return outcomes

    def find(self, data: bytes) -> Image | None:
        """Return the picture of exactly these bytes, or None when there is none."""
        try:
            found = self._transport.json("GET", f"/api/images/by-sha256/{hashlib.sha256(data).hexdigest()}")
        except ApiError as error:
            if error.status != 404:
                raise
            return None
        image: Image = found["data"]
        return image

    def image(self, image_id: str) -> Image:
        """Return a picture as it is now."""
        image: Image = self._transport.json("GET", f"/api/images/{image_id}")["data"]
        return image

    def wait(self, image_id: str, timeout_s: float = 120) -> Image:
        """Return a picture as soon as it is no longer processing. Raises: ``TimeoutError``."""
        deadline = time.monotonic() + timeout_s
        while True:
            left_s = max(0, min(LONGEST_WAIT_S, int(deadline - time.monotonic())))
            image: Image = self._transport.json("GET", f"/api/images/{image_id}", params={"wait": left_s})[
                "data"
            ]
            if image["status"] != "processing":
                return image
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{image_id} is still processing after {timeout_s:g} s")
            time.sleep(0.05)

    def images(self, **filters: str | int | list[str]) -> Iterator[Image]:
        """Iterate over pictures, newest first; ``status``, ``q``, ``label`` narrow, ``limit`` is a page."""
        yield from self._pages("/api/images", filters)

    def edit(self, image_id: str, **changes: Any) -> Image:
        """Set ``caption`` (text or None) or ``labels`` (a list) as a person."""
        image: Image = self._transport.json("PATCH", f"/api/images/{image_id}", json=changes)["data"]
        return image

    def delete(self, image_id: str) -> None:
        """Delete a picture; one that is gone already is fine, since a lost answer looks the same."""
        try:
            self._transport.request("DELETE", f"/api/images/{image_id}")
        except ApiError as error:
            if error.status != 404:
                raise

    def download(self, image_id: str, target: str | os.PathLike[str], size: str = "original") -> Path:
        """Save the original, or a thumbnail by its name, whole or not at all."""
        which = "original" if size == "original" else f"thumbnails/{size}"
        return self._save(f"/api/images/{image_id}/{which}", Path(target), {})

    def export(self, target: str | os.PathLike[str], **options: str | int | list[str]) -> Path:
        """Save a data set; ``format`` is imagefolder, webdataset, sidecar or jsonl, more as in the API."""
        return self._save("/api/exports", Path(target), options)

    def store_log(self, source: Source, log: str = "default", **options: str) -> dict[str, Any]:
        """Send a CSV as a depth log, all of it or nothing, and return the receipt."""
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        headers = {"Content-Type": "text/csv", "Idempotency-Key": uuid4().hex}
        sent = self._transport.json(
            "POST", "/api/frames", data=data, headers=headers, params={"log": log, **options}
        )
        receipt: dict[str, Any] = sent["data"]
        return receipt

    def frames(self, log: str = "default", *, source: bool = False, **options: str | float) -> Frames:
        """Read a depth range as grey pixels; ``depth_min`` and ``depth_max`` include their ends.

        ``source`` gives the pixels as uploaded instead of 150 to a row. Other options go to the API.
        """
        params: dict[str, str | float] = {"log": log, "format": "raw", "mask": "true", **options}
        if source:
            params["pixels"] = "source"
        response = self._transport.request("GET", "/api/frames", params=params)
        told = response.headers
        shape = int(told["X-Frame-Rows"]), int(told["X-Frame-Width"])
        planes = np.frombuffer(response.content, np.uint8).reshape(-1, *shape)
        return Frames(
            planes[0],
            None if planes[1].all() else planes[1] == 0,
            float(told["X-Frame-Depth-Min"]),
            float(told["X-Frame-Depth-Max"]),
        )

    def logs(self) -> Iterator[dict[str, Any]]:
        """Iterate over the depth logs, newest first."""
        yield from self._pages("/api/frames/logs", {})

    def log(self, name: str) -> dict[str, Any]:
        """Return what is stored of one depth log."""
        log: dict[str, Any] = self._transport.json("GET", f"/api/frames/logs/{quote(name, safe='')}")["data"]
        return log

    def _pages(self, path: str | None, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        page = self._transport.json("GET", str(path), params=params)
        while True:
            yield from page["data"]
            if not page["next"]:
                return
            page = self._transport.json("GET", page["next"])

    def _take(self, source: Path, skip_known: bool) -> Outcome:
        try:
            data = source.read_bytes()
            known = self.find(data) if skip_known else None
            return Outcome(source, known or self.upload(data, source.name), None, known is not None)
        except (ApiError, Unreachable, OSError) as fault:
            return Outcome(source, None, fault)

    def _save(self, path: str, target: Path, params: Mapping[str, Any]) -> Path:
        partial = target.with_name(f".{target.name}.{uuid4().hex}")
        try:
            response = self._transport.request("GET", path, params=params, stream=True)
            with closing(response), partial.open("wb") as file:
                for chunk in read(response, CHUNK_BYTES):
                    file.write(chunk)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return target
