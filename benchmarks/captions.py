"""Compare how soon a hundred thumbnails are there: without captioner, and with one that takes 10 s.

Run it as ``python -m benchmarks.captions``; it takes about a minute. The captioner is a server on loopback
that lets every call wait until its deadline.
"""

import tempfile
import time
from pathlib import Path

import requests

from tests.captions.provider import serve
from tests.factories import jpeg
from tests.servers import Server, serving

PICTURES = 100
ROUNDS = 3
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
    """Measure both in turn, and print the times and the median ratio."""
    ratios = []
    with serve() as provider:
        provider.fault = "hang"
        for round_ in range(ROUNDS):
            without = measure(round_)
            slow = measure(round_, **SLOW, IMGPIPE_CAPTION_URL=provider.openai_url)
            ratios.append(slow / without)
            print(f"none {without:.2f} s, a captioner of 10 s {slow:.2f} s, ratio {ratios[-1]:.2f}")
    print(f"median ratio {sorted(ratios)[ROUNDS // 2]:.2f} (to stay under 1.5)")


if __name__ == "__main__":
    main()
