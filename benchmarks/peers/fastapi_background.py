"""Take pictures with FastAPI's BackgroundTasks, as many do: what was accepted is lost with the process."""

import os
import uuid
from pathlib import Path

from fastapi import BackgroundTasks, FastAPI, UploadFile

from benchmarks.peers.derive import derive

FOLDER = Path(os.environ["FOLDER"])
app = FastAPI()
status: dict[str, str] = {}


@app.get("/")
async def health() -> str:
    return "well"


@app.post("/upload", status_code=202)
async def upload(file: UploadFile, tasks: BackgroundTasks) -> dict[str, str]:
    name = uuid.uuid4().hex
    path = FOLDER / f"{name}.jpg"
    path.write_bytes(await file.read())
    status[name] = "processing"
    tasks.add_task(work, name, path)
    return {"id": name, "status": "processing"}


def work(name: str, path: Path) -> None:
    derive(path)
    status[name] = "success"
