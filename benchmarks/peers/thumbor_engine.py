"""Make small, medium and square by thumbor's engine, as shipped: each from the file, as by three requests.

Told one batch a line: {"files": [...], "at_once": 2}. Runs in an environment of thumbor's own.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from thumbor.config import Config
from thumbor.context import Context
from thumbor.engines.pil import Engine

QUALITY = 85


def derive(data: bytes) -> None:
    for side in (128, 512):
        shrunk(data, side).read(None, QUALITY)
    medium = shrunk(data, 512)
    width, height = medium.size
    square = Engine(medium.context)
    square.image = medium.gen_image((512, 512), "black")
    square.paste(medium, ((512 - width) // 2, (512 - height) // 2), merge=True)
    square.image = square.image.convert("RGB")
    square.read(".jpg", QUALITY)


def shrunk(data: bytes, side: int) -> Engine:
    engine = Engine(Context(config=Config(QUALITY=QUALITY)))
    engine.load(data, None)
    engine.reorientate()
    width, height = engine.size
    share = min(side / width, side / height, 1)
    engine.resize(round(width * share), round(height * share))
    return engine


for line in sys.stdin:
    task = json.loads(line)
    batch = [Path(name).read_bytes() for name in task["files"]]
    began, spent = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(task["at_once"]) as pool:
        list(pool.map(derive, batch))
    print(json.dumps({"s": time.perf_counter() - began, "cpu_s": time.process_time() - spent}), flush=True)
