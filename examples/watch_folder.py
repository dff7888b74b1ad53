"""Send every new picture of a folder to imgpipe: ``python examples/watch_folder.py FOLDER [URL]``.

A picture that is in already is not sent again, so the watcher may be stopped and started at any time.
"""

import sys
import time
from pathlib import Path

from imgpipe.client import Client

SUFFIXES = {".jpg", ".jpeg", ".png"}
LOOK_S = 1.0


def settled(folder: Path) -> set[Path]:
    """Return the pictures whose size has not changed for a look: nobody is writing them any more."""
    sizes = {path: path.stat().st_size for path in folder.iterdir() if path.suffix.lower() in SUFFIXES}
    time.sleep(LOOK_S)
    return {path for path, size in sizes.items() if path.exists() and path.stat().st_size == size}


def main(folder: Path, url: str, looks: int | None = None) -> None:
    """Look again and again, or ``looks`` times."""
    sent: set[Path] = set()
    with Client(url) as client:
        while looks is None or looks > 0:
            fresh = sorted(settled(folder) - sent)
            for outcome in client.upload_many(fresh):
                state = outcome.fault or ("known" if outcome.known else "sent")
                print(f"{outcome.source.name}: {state}", flush=True)
                if outcome.fault is None:
                    sent.add(outcome.source)
            looks = None if looks is None else looks - 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:5000")
