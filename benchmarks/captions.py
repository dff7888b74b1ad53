"""Compare how soon a hundred thumbnails are there: without captioner, and with one that takes 10 s.

Run it as ``python -m benchmarks.captions``; it takes about a minute. The captioner is a server on loopback
that lets every call wait until its deadline.
"""

import tempfile
import time
from itertools import count
from pathlib import Path

import requests

from benchmarks.results import amount, in_turn, record
from tests.captions.provider import serve
from tests.factories import jpeg
from tests.servers import Server, serving

PICTURES = amount(100, 8)
SLOW = {
    "IMGPIPE_CAPTIONER": "openai",
    "OPENAI_API_KEY": "sk-none",
    "IMGPIPE_CAPTION_TIMEOUT_S": "10",
}


def thumbnails_s(server: Server, pictures: list[bytes]) -> float:
    """Upload all pictures and return the seconds until the last one's square can be fetched."""
    began = time.perf_counter()
    waiting = [server.upload(data) for data in pictures]
    while waiting:
        answers = (
            requests.head(f"{server.url}/api/images/{one}/thumbnails/square", timeout=30) for one in waiting
        )
        waiting = [one for one, answer in zip(waiting, answers, strict=True) if not answer.ok]
    return time.perf_counter() - began


def measure(round_: int, **options: str) -> float:
    """Measure once on a fresh installation."""
    pictures = [jpeg(1600 + number, 1200 + round_) for number in range(PICTURES)]
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), **options) as server:
        return thumbnails_s(server, pictures)


def main() -> None:
    """Measure both in turn."""
    numbers = count()
    with serve() as provider:
        provider.fault = "hang"
        slow = SLOW | {"IMGPIPE_CAPTION_URL": provider.openai_url}
        taken = in_turn(
            {"slow": lambda: measure(next(numbers), **slow), "none": lambda: measure(next(numbers))}
        )
    title = f"{PICTURES} thumbnails, a captioner of 10 s"
    record(title, taken["slow"], "s", peer="no captioner", theirs=taken["none"], target=1.5, less=True)


if __name__ == "__main__":
    main()
