"""Take pictures with Flask and a pool of threads, as many do: what was accepted is lost with the process."""

import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

from benchmarks.peers.derive import derive

FOLDER = Path(os.environ["FOLDER"])
app = Flask(__name__)
pool = ThreadPoolExecutor(1)
status: dict[str, str] = {}


@app.get("/")
def health() -> str:
    return "well"


@app.post("/upload")
def upload() -> ResponseReturnValue:
    name = uuid.uuid4().hex
    path = FOLDER / f"{name}.jpg"
    request.files["file"].save(path)
    status[name] = "processing"
    pool.submit(work, name, path)
    return jsonify(id=name, status="processing"), 202


def work(name: str, path: Path) -> None:
    derive(path)
    status[name] = "success"


@app.post("/saved")
def saved() -> ResponseReturnValue:
    """Only save, but for good: what an upload that is kept cannot do without."""
    path = FOLDER / f"{uuid.uuid4().hex}.saved"
    with path.open("wb") as file:
        request.files["file"].save(file)
        file.flush()
        os.fsync(file.fileno())
    return jsonify(status="saved"), 201
