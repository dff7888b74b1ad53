"""Measure the CPU of an answer: thumbnails and 304 beside bare Flask views, lists, details and statistics.

    python -m benchmarks.answers

Every request goes through the whole app, in this thread and without a server, which adds the same to all.
"""

import gc
import tempfile
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path

from flask import Flask, jsonify, send_file
from flask.typing import ResponseReturnValue

from benchmarks.apps import asking, fresh_app
from benchmarks.photos import jpeg, photo
from benchmarks.results import amount, in_turn, record

PICTURES, ASKED, WARM = 30, amount(200, 20), amount(30, 3)
ROUNDS = amount(15, 2)
SIZE = (640, 480)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        app = fresh_app(Path(folder))
        asked = _requests(app, Path(folder))
        for name, ask in asked.items():
            size = [len(ask()) for _ in range(WARM)][-1]
            print(f"  {name:20}{size:8,} bytes")
        gc.collect()
        gc.freeze()  # as a server does after its start
        found = in_turn({name: partial(_cpu_ms, ask) for name, ask in asked.items()}, ROUNDS)
    rates = {name: [1000 / ms for ms in spent_ms] for name, spent_ms in found.items()}
    for name, peer, target in (("thumbnail", "bare send_file", 0.9), ("304", "bare JSON view", 0.5)):
        record(name, rates[name], "/s of CPU", peer=peer, theirs=rates[peer], target=target)
    for name, target in (("list of 30", 2.0), ("detail", 0.7), ("stats", 0.6)):
        record(name, found[name], "ms of CPU", target=target, less=True)


def _requests(app: Flask, folder: Path) -> dict[str, Callable[[], bytes]]:
    client = app.test_client()
    ids = []
    for number in range(PICTURES):
        form = {"file": (BytesIO(jpeg(photo(number, SIZE))), f"photo {number}.jpg")}
        ids.append(client.post("/api/images", data=form).get_json()["data"]["image_id"])
    thumbnail = f"/api/images/{ids[0]}/thumbnails/medium"
    answer = client.get(thumbnail)
    copy = folder / "bare.jpg"
    copy.write_bytes(answer.data)
    bare = _bare(copy)
    return {
        "thumbnail": asking(app, thumbnail),
        "304": asking(app, thumbnail, 304, [("If-None-Match", answer.headers["ETag"])]),
        "list of 30": asking(app, "/api/images?limit=30"),
        "detail": asking(app, f"/api/images/{ids[0]}"),
        "stats": asking(app, "/api/stats"),
        "bare send_file": asking(bare, f"/thumbnails/{ids[0]}"),
        "bare JSON view": asking(bare, f"/images/{ids[0]}"),
    }


def _bare(path: Path) -> Flask:
    """Build an app that does nothing but answer."""
    app = Flask("bare")

    @app.get("/thumbnails/<name>")
    def thumbnail(name: str) -> ResponseReturnValue:
        return send_file(path, mimetype="image/jpeg")

    @app.get("/images/<name>")
    def detail(name: str) -> ResponseReturnValue:
        return jsonify(status="success", data={"image_id": name}, error=None)

    return app


def _cpu_ms(ask: Callable[[], bytes]) -> float:
    began = time.thread_time()
    for _ in range(ASKED):
        ask()
    return (time.thread_time() - began) * 1000 / ASKED


if __name__ == "__main__":
    main()
